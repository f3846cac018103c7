// npm test: installs what is missing, checks, builds, then runs the unit and the end-to-end tests.
// npm test -- PATTERN: only the tests whose path has PATTERN in it, and none of the checks.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { pinnedNode, projectRoot, runQuietly } from './console.mjs';
import { installPackages, installSystemPackages } from './install.mjs';
import { installPythonTools } from './python-tools.mjs';
import { countsLine, parseCountsLine } from './reporter.mjs';

/**
 * Spec files that run side by side. They start several processes each, and wait for them about half of the
 * time: one more than two cores keeps both busy.
 */
const e2eConcurrency = 3;
/** What runs once more with data workers; `TEST_WORKERS=2 npm test -- e2e/` runs everything so. */
const withWorkers = new RegExp(
  '/(wire-(framing|pipelining|range|reset|shortcuts|tls|upload-forms)|daemon-ticket.*' +
    '|observability-(logs|metrics))\\.e2e',
);
const npmScripts = {
  lint: 'check:lint',
  format: 'check:format',
  imports: 'check:imports',
  'build and API contract': 'check:openapi',
  'rules for API contracts': 'check:contract',
  'API compatibility': 'check:compatibility',
  build: 'build',
  // Compiles the sources together with all tests, so it is the type check as well.
  types: 'build:test',
};

const [pattern] = process.argv.slice(2);
const total = { passed: 0, failed: 0, skipped: 0 };

if (installPackages()) {
  installSystemPackages();
  installPythonTools();
  await (pattern === undefined ? testEverything() : testMatching(pattern));
} else {
  total.failed += 1;
}
console.log(countsLine(total));
process.exitCode = total.failed === 0 ? 0 : 1;

async function testEverything() {
  // Takes minutes once, and the tests that need it would each begin to do it; the checks leave a core free.
  const helmTools = runQuietly(pinnedNode, [join('scripts', 'helm-tools.mjs')]);
  for (const name of [
    'lint',
    'format',
    'imports',
    'build and API contract',
    'rules for API contracts',
    'API compatibility',
  ])
    await check(name);
  if (!(await check('types'))) return;
  await runTests('unit tests', unitSpecs());
  await helmTools;
  const e2e = specs('test', '.e2e-spec.ts');
  await runTests('end-to-end tests', e2e, { concurrency: e2eConcurrency });
  await runTests(
    'end-to-end tests with data workers',
    e2e.filter((file) => withWorkers.test(file)),
    { concurrency: e2eConcurrency, env: { TEST_WORKERS: '2' } },
  );
}

async function testMatching(text) {
  const unit = unitSpecs().filter((file) => file.includes(text));
  const e2e = specs('test', '.e2e-spec.ts').filter((file) => file.includes(text));
  if (unit.length + e2e.length === 0) {
    console.error(`No test file has "${text}" in its path`);
    total.failed += 1;
    return;
  }
  if (e2e.length > 0 && !(await check('build'))) return;
  if (!(await check('types'))) return;
  await runTests('unit tests', unit);
  await runTests('end-to-end tests', e2e, { concurrency: e2eConcurrency });
}

/** Runs one npm script, whose output is of interest only when it fails; that counts as a failed test. */
async function check(name) {
  const begun = Date.now();
  const { ok, output } = await runQuietly('npm', ['run', '--silent', npmScripts[name]]);
  if (!ok) {
    total.failed += 1;
    console.log(output.trimEnd());
  }
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  return ok;
}

function unitSpecs() {
  return ['src', 'bench', 'page', 'sdk/typescript/transfer'].flatMap((folder) => specs(folder, '.spec.ts'));
}

/** Lists the test files by their sources, because .build may still have tests whose source was deleted. */
function specs(folder, suffix) {
  if (!existsSync(join(projectRoot, folder))) return [];
  return readdirSync(join(projectRoot, folder), { recursive: true })
    .filter((file) => file.endsWith(suffix))
    .map((file) => join(folder, file))
    .sort();
}

async function runTests(title, files, { concurrency, env = {} } = {}) {
  if (files.length === 0) return;
  console.log(`\n${title}: ${files.length} files`);
  const compiled = files.map((file) => join('.build', file.replace(/\.ts$/, '.js')));
  const child = spawn(
    pinnedNode,
    [
      '--enable-source-maps',
      '--test',
      `--import=${pathToFileURL(join(projectRoot, 'scripts', 'file-deadline.mjs')).href}`,
      `--test-reporter=${join(projectRoot, 'scripts', 'reporter.mjs')}`,
      '--test-reporter-destination=stdout',
      ...(concurrency === undefined ? [] : [`--test-concurrency=${concurrency}`]),
      ...compiled,
    ],
    { cwd: projectRoot, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } },
  );
  let counts;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const found = parseCountsLine(line);
    if (found === undefined) console.log(line);
    else counts = found;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  // Without counts, or with a bad end that they don't explain, the run itself is what failed.
  counts ??= { passed: 0, failed: 0, skipped: 0 };
  if (code !== 0 && counts.failed === 0) {
    console.log(`FAIL ${title}: the test runner ended with ${code}`);
    counts.failed = 1;
  }
  for (const kind of Object.keys(total)) total[kind] += counts[kind];
}
