import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns, type StdioOptions } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

describe('lines to a file', () => {
  const inFile = (file: string, statements: string): SpawnSyncReturns<string> => {
    const writer = JSON.stringify(import.meta.resolve('./log-writer.js'));
    return run(`
      const { LogWriter } = await import(${writer});
      const writer = new LogWriter(${JSON.stringify(file)});
      const log = createLogger({ level: 'info', format: 'json', recordBytesMax: 2048 }, writer);
      const { renameSync, rmSync } = await import('node:fs');
      ${statements}
    `);
  };
  const messagesOf = (file: string): string[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { msg: string }).msg);

  test('are appended, and go on in a new file when the old one was renamed', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'imageio-'));
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    const file = join(folder, 'log');
    inFile(file, `log.info('earlier')`);
    const { stderr } = inFile(
      file,
      `
        log.info('before');
        renameSync(${JSON.stringify(file)}, ${JSON.stringify(`${file}.1`)});
        log.info('still there');
        writer.reopen();
        log.info('after');
      `,
    );
    assert.equal(stderr, '');
    assert.deepEqual(messagesOf(`${file}.1`), ['earlier', 'before', 'still there']);
    assert.deepEqual(messagesOf(file), ['after']);
    assert.equal(statSync(file).mode & 0o777, 0o640);
  });

  test('follow no link that somebody has put in the place of the log', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'imageio-'));
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    const [file, other] = [join(folder, 'log'), join(folder, 'other')];
    writeFileSync(other, '');
    symlinkSync(other, file);
    const { status, stderr } = inFile(file, `log.warn('for another file')`);
    assert.equal(status, 1);
    assert.match(stderr, /ELOOP/);
    assert.equal(readFileSync(other, 'utf8'), '');
  });

  test('go on in the old file when there can be no new one', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'imageio-'));
    t.after(() => {
      rmSync(`${folder}.gone`, { recursive: true });
    });
    const file = join(folder, 'log');
    const { stdout } = inFile(
      file,
      `
        renameSync(${JSON.stringify(folder)}, ${JSON.stringify(`${folder}.gone`)});
        try {
          writer.reopen();
        } catch (error) {
          console.log(error.code);
        }
        log.info('goes on');
      `,
    );
    assert.equal(stdout, 'ENOENT\n');
    assert.deepEqual(messagesOf(join(`${folder}.gone`, 'log')), ['goes on']);
  });
});
