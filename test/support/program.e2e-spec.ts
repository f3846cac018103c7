import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { needs } from './requirements.js';
import { Program } from './program.js';

const endless = "process.stdout.write('ready\\n'); setInterval(() => {}, 1000);";

describe('programs started by tests', () => {
  test('are awaited by a line of their output and stopped by a signal', async (t) => {
    const program = await Program.start(process.execPath, ['-e', endless]);
    t.after(() => program.kill());
    assert.equal(await program.waitForLine((line) => (line === 'ready' ? 42 : undefined), 'ready'), 42);
    // In this order: it may grow between the two.
    const { residentBytes } = program;
    const { residentBytesMax } = program;
    assert.ok(residentBytes > 0 && residentBytesMax >= residentBytes, `${residentBytes} ${residentBytesMax}`);
    assert.deepEqual(await program.stop(), { code: null, signal: 'SIGTERM' });
  });

  test('that end too early are reported with their exit code and last lines', async () => {
    const program = await Program.start(process.execPath, [
      '-e',
      "console.error('bad key'); process.exit(3)",
    ]);
    await assert.rejects(
      program.waitForLine(() => undefined, 'it is ready'),
      /ended \(exit code 3\) before it is ready\nThe last lines of .*:\nbad key/,
    );
  });

  test('that never say the line are reported at the deadline with their last lines', async (t) => {
    const program = await Program.start(process.execPath, ['-e', endless]);
    t.after(() => program.kill());
    await program.waitForLine((line) => (line === 'ready' ? true : undefined), 'ready');
    await assert.rejects(
      program.waitForLine(() => undefined, 'the moon', 50),
      /^Error: Timed out after 0.05 s waiting for the moon\nThe last lines of .*:\nready$/,
    );
  });

  test('that do not exist are reported by name', async () => {
    await assert.rejects(Program.start('/no/such/program', []), /Cannot start \/no\/such\/program/);
  });

  test('are asked for by name before a test that needs them', () => {
    assert.equal(needs('sh'), false);
    assert.match(String(needs('sh', 'no-such-program')), /^needs no-such-program, /);
  });
});
