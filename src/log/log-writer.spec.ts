import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns, type StdioOptions } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { describe, test } from 'node:test';

/** Runs `statements` in a process of their own, with `logger` writing to its standard error. */
function run(statements: string, stdio: StdioOptions = 'pipe'): SpawnSyncReturns<string> {
  const program = `
    const { createLogger } = await import(${JSON.stringify(import.meta.resolve('./logger.js'))});
    const logger = createLogger({ level: 'info', format: 'json', recordBytesMax: 2048 });
    ${statements}
  `;
  return spawnSync(process.execPath, ['--input-type=module', '--eval', program], { stdio, encoding: 'utf8' });
}

function messages({ stderr }: SpawnSyncReturns<string>): string[] {
  const lines = stderr.split('\n').filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
}

describe('lines to standard error', () => {
  test('are written soon, while the process goes on', () => {
    const result = run(`
      logger.info('first');
      logger.info('second');
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1000);
    `);
    assert.deepEqual(messages(result), ['first', 'second']);
  });

  test('are written at once with a warning, before a process is killed', () => {
    const result = run(`
      logger.info('before');
      logger.warn('warning');
      logger.info('after');
      process.kill(process.pid, 'SIGKILL');
    `);
    assert.deepEqual(messages(result), ['before', 'warning']);
  });

  for (const end of ['', 'process.exit(0)', 'throw new Error("uncaught")']) {
    test(`are all written when the process ends by ${end === '' ? 'itself' : end}`, () => {
      const { stderr } = run(`logger.info('last'); ${end}`);
      assert.match(stderr, /"msg":"last"/);
    });
  }

  test('are written before memory holds many', () => {
    const result = run(`
      for (let count = 0; count < 1000; count += 1) logger.info('x'.repeat(1000));
      process.kill(process.pid, 'SIGKILL');
    `);
    assert.ok(messages(result).length > 900, `only ${messages(result).length} lines`);
  });

  test('are lost on a full disk, and the process goes on', () => {
    const full = openSync('/dev/full', 'w');
    const { status, stdout } = run(
      `
        for (let count = 0; count < 100; count += 1) {
          logger.info('lost');
          logger.warn('lost');
        }
        process.stdout.write('alive');
      `,
      ['ignore', 'pipe', full],
    );
    closeSync(full);
    assert.deepEqual([status, stdout], [0, 'alive']);
  });
});
