import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { restartingWithOptions } from './runtime-options.js';
import { plainNodeVariable } from './trick.js';
import { tricks } from './tricks.js';

// Its canary tells whether the process was restarted, which that of a test was not.
const beforeStart = new Set([restartingWithOptions]);

for (const trick of tricks) {
  if (beforeStart.has(trick)) continue;
  test(`this Node does what is needed for ${trick.name}`, async () => {
    await trick.check();
    assert.equal(trick.fallback, undefined);
  });
}

test('every file of this folder that has a trick is checked at start', () => {
  // Privileges are given up by libc, which documents how.
  const others = ['canary-server', 'new-privileges', 'trick', 'tricks'];
  const files = readdirSync(import.meta.dirname).filter((file) => /^[a-z-]+\.js$/.test(file));
  assert.equal(files.length - others.length, tricks.length);
  assert.equal(new Set(tricks.map(({ name }) => name)).size, tricks.length);
});

test(`${plainNodeVariable} turns every trick off`, () => {
  const program = `
    const { checkTricks } = await import(${JSON.stringify(join(import.meta.dirname, 'tricks.js'))});
    console.log(JSON.stringify(await checkTricks()));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, [plainNodeVariable]: '1' },
    encoding: 'utf8',
  });
  const fallbacks = JSON.parse(output) as string[];
  assert.equal(fallbacks.length, tricks.length);
  for (const fallback of fallbacks) assert.match(fallback, /^Without .+ \(IMAGEIO_PLAIN_NODE is 1\): .+/);
});
