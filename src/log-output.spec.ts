import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LogOutput } from './log-output.js';

describe('the output of the log', () => {
  test('writes the lines of a turn at once and in order', async () => {
    const written: string[] = [];
    const output = new LogOutput({ write: (lines) => written.push(lines) });
    output.write('a\n');
    output.write('b\n');
    assert.deepEqual(written, []);
    await nextTurn();
    assert.deepEqual(written, ['a\nb\n']);
    output.write('c\n');
    await nextTurn();
    assert.deepEqual(written, ['a\nb\n', 'c\n']);
  });

  for (const [end, statement] of [
    ['exits', 'process.exit(3)'],
    ['ends by an exception', 'throw new Error("end")'],
  ] as const) {
    test(`writes what it has when the process ${end}`, () => {
      const module = new URL('./log-output.js', import.meta.url).href;
      const program = `const { LogOutput } = await import('${module}'); new LogOutput().write('last\\n'); ${statement};`;
      const { stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
        encoding: 'utf8',
      });
      assert.match(stderr, /^last$/m);
    });
  }
});
