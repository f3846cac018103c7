import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { projectRoot } from '../../test/support/project.js';
import { runtimeOptions } from './runtime-options.js';
import { plainNodeVariable } from './trick.js';

const folder = mkdtempSync(join(tmpdir(), 'imageio-runtime-options-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const program = join(folder, 'program.mjs');
const testedModule = JSON.stringify(join(import.meta.dirname, 'runtime-options.js'));
writeFileSync(
  program,
  `import { restartWithRuntimeOptions } from ${testedModule};
  const firstId = (process.env.FIRST_ID ??= String(process.pid));
  restartWithRuntimeOptions('daemon', process.env, process.argv, false);
  console.log(JSON.stringify({ sameId: firstId === String(process.pid), options: process.execArgv }));`,
);

function run(environment: NodeJS.ProcessEnv = {}): { sameId: boolean; options: string[] } {
  const env = { ...process.env, NODE_OPTIONS: '', [plainNodeVariable]: '', ...environment };
  return JSON.parse(execFileSync(process.execPath, [program], { env, encoding: 'utf8' })) as {
    sameId: boolean;
    options: string[];
  };
}

const canReplace = typeof process.execve === 'function';

test(
  'a process goes on as one with a small young generation, under its id',
  {
    skip: canReplace ? false : 'this Node has no process.execve',
  },
  () => {
    assert.deepEqual(run(), { sameId: true, options: ['--max-semi-space-size=2'] });
  },
);

test(
  'a process that cannot be replaced goes on as it is',
  {
    skip: canReplace ? 'this Node has process.execve' : false,
  },
  () => {
    assert.deepEqual(run(), { sameId: true, options: [] });
  },
);

test('what an operator has set stays', () => {
  assert.deepEqual(run({ NODE_OPTIONS: '--max-semi-space-size=8' }), { sameId: true, options: [] });
});

test('without it a process goes on as it is', () => {
  assert.deepEqual(run({ [plainNodeVariable]: '1' }), { sameId: true, options: [] });
});

test('a unit starts its role with the options that it would be replaced for', () => {
  for (const [unit, role] of [
    ['ovirt-imageio', 'daemon'],
    ['ovirt-imageio-proxy', 'proxy'],
  ] as const) {
    const text = readFileSync(join(projectRoot, 'packaging', 'systemd', `${unit}.service`), 'utf8');
    const { youngGeneration, mallocArenas } = runtimeOptions(role);
    assert.ok(text.includes(`\nEnvironment=NODE_OPTIONS=${youngGeneration} ${mallocArenas}\n`), unit);
  }
});
