import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLogger, describeError, type Logger, type LoggerOptions } from './logger.js';

function logger(options: Partial<LoggerOptions> = {}): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const log = createLogger(
    { level: 'info', format: 'json', recordBytesMax: 512, ...options },
    { write: (line) => lines.push(line) },
  );
  return { log, lines };
}

describe('the log', () => {
  test('writes one JSON line a record, with the name of its level', () => {
    const { log, lines } = logger();
    log.warn({ transfer_id: 't-1' }, 'Request ended');
    assert.equal(lines.length, 1);
    const { time, ...record } = JSON.parse(lines[0]!) as Record<string, unknown>;
    assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.deepEqual(record, {
      level: 'warn',
      pid: process.pid,
      transfer_id: 't-1',
      msg: 'Request ended',
    });
  });

  test('says an error with its causes and without a stack', () => {
    const { log, lines } = logger();
    log.error({ err: new Error('no', { cause: new TypeError('because') }) }, 'Failed');
    assert.equal((JSON.parse(lines[0]!) as { err: string }).err, 'Error: no: TypeError: because');
  });

  for (const format of ['json', 'pretty'] as const) {
    test(`keeps a record of format ${format} on one line within the limit, whatever it is told`, () => {
      const { log, lines } = logger({ format });
      log.info({ a: 'ä€\u0085\n'.repeat(1000), b: '"'.repeat(900) }, 'm\r\n\u001b[2J\u009b'.repeat(500));
      assert.equal(lines.length, 1);
      assert.ok(Buffer.byteLength(lines[0]!) <= 512);
      assert.doesNotMatch(lines[0]!.slice(0, -1), /\p{Cc}/u);
    });
  }

  test('is readable when it is pretty', () => {
    const { log, lines } = logger({ format: 'pretty' });
    const listeners = [{ name: 'remote', address: 'https://[::]:54322' }, { name: 'local' }];
    log.info({ status: 200, complete: true, error: 'No space left', listeners }, 'He said "done"');
    const [, rest] = /^\S+ (.*)\n$/.exec(lines[0]!) ?? [];
    const fields = 'status=200 complete=true error="No space left"';
    assert.equal(rest, `INFO He said "done" ${fields} listeners=[remote "https://[::]:54322", local]`);
  });

  test('takes another level while it runs', () => {
    const { log, lines } = logger();
    log.debug('before');
    log.level = 'debug';
    log.debug('after');
    assert.equal(lines.length, 1);
  });
});

describe('describeError', () => {
  test('says what was thrown that is no error', () => {
    assert.equal(describeError('text'), 'text');
  });
});
