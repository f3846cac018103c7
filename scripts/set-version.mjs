// npm version NUMBER --no-git-tag-version runs this (the script "version" of package.json): brings the
// version that npm has written to package.json to everything else that states it, and dates the changelog.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './console.mjs';

const { version } = JSON.parse(read('package.json'));

replace('sdk/typescript/package.json', /^ {2}"version": ".*",$/m, `  "version": "${version}",`);
// The first version of the file is the project's own; those of its dependencies are deeper.
replace('sdk/java/pom.xml', /^ {2}<version>.*<\/version>$/m, `  <version>${version}</version>`);
replace('helm/ovirt-imageio/Chart.yaml', /^version: .*$/m, `version: ${version}`);
replace('helm/ovirt-imageio/Chart.yaml', /^appVersion: .*$/m, `appVersion: ${version}`);
const today = new Date().toISOString().slice(0, 10);
replace('CHANGELOG.md', /^## \[Unreleased\]\n+(?=###)/m, `## [Unreleased]\n\n## [${version}] - ${today}\n\n`);

/**
 * @throws Error when the file does not have what is to be replaced: then a part of the release would be wrong
 */
function replace(file, pattern, text) {
  const before = read(file);
  if (!pattern.test(before)) throw new Error(`${file} has nothing that matches ${pattern}`);
  // A function, as a text could have `$` in it.
  writeFileSync(
    join(projectRoot, file),
    before.replace(pattern, () => text),
  );
}

function read(file) {
  return readFileSync(join(projectRoot, file), 'utf8');
}
