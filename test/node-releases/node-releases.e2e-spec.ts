import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { pinnedNode, projectRoot } from '../support/project.js';

const run = promisify(execFile);
const found = JSON.parse(
  execFileSync(process.execPath, [join(projectRoot, 'scripts', 'node-releases.mjs')], { encoding: 'utf8' }),
) as { readonly releases: Readonly<Record<string, string>> } | { readonly missing: string };

const built = join(projectRoot, '.build');
const canaries = readdirSync(join(built, 'src', 'node-internals'))
  .filter((file) => file.endsWith('.spec.js'))
  .map((file) => join(built, 'src', 'node-internals', file));
/** What goes over the wire in the process of the test itself, so that all of it runs on that Node. */
const wireTests = relayTests(
  'direct-download',
  'bodies',
  'framing',
  'connections',
  'aborts',
  'early-answers',
);
/**
 * The others test what the plain way does without, such as answers to clients that have closed their side.
 */
const plainTests = relayTests('bodies', 'framing', 'connections');

function relayTests(...names: string[]): string[] {
  return names.map((name) => join(built, 'test', 'relay', `${name}.e2e-spec.js`));
}

async function runTests(
  node: string,
  files: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<void> {
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, ...environment };
  const flags = ['--test', '--test-force-exit', '--test-reporter=tap'];
  const { stdout } = await run(node, [...flags, ...files], { env, maxBuffer: 2 ** 26 }).catch(
    (error: unknown) => {
      const { stdout: printed = '' } = error as { readonly stdout?: string };
      throw new Error(`Tests fail on ${node}:\n${failuresIn(printed)}`, { cause: error });
    },
  );
  assert.match(stdout, /^# fail 0$/m);
}

/** Each failed test of a TAP report with the details that follow it. */
function failuresIn(tap: string): string {
  return tap.match(/^ *not ok .*\n( *)---\n(?:.*\n)*?\1\.\.\.$/gm)?.join('\n') ?? tap;
}

if ('missing' in found) test('other releases of Node', { skip: found.missing });
else {
  for (const [version, node] of Object.entries(found.releases)) {
    test(`the canaries live, and relaying works, on Node ${version}`, async () => {
      await runTests(node, [...canaries, ...wireTests]);
    });
  }
}

test('relaying works without any use of the internals of Node', async () => {
  await runTests(pinnedNode, plainTests, { IMAGEIO_PLAIN_NODE: '1' });
});
