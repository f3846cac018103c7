import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { anchorsOf, headingsOf, projectFiles } from '../support/markdown.js';
import { projectRoot } from '../support/project.js';

const protocolPage = join('docs', 'protocol.md');
const sources = ['src', 'test', 'bench', 'demo', 'scripts', 'sdk', 'packaging', 'helm'].flatMap((folder) =>
  projectFiles(['.ts', '.mjs', '.js', '.md', '.yaml', '.conf', '.service'], folder),
);

test('every rule of the protocol has a name of its own, which the contents of the page link to', () => {
  const page = read(protocolPage);
  const names = headingsOf(page).map(nameOf);
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
  const [, ...anchors] = anchorsOf(page);
  assert.deepEqual(
    [...page.slice(0, page.indexOf('\n## ')).matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor),
    anchors,
  );
});

test('what comments cite of a page of the documentation is there', () => {
  let citations = 0;
  for (const file of sources) {
    for (const [citation, page = '', heading] of joinedLines(read(file)).matchAll(
      /\b(docs\/[\w/-]+\.md)(?:, "([^"]+)")?/g,
    )) {
      assert.ok(existsSync(join(projectRoot, page)), `${file} cites ${page}, which does not exist`);
      if (heading === undefined) continue;
      citations++;
      assert.ok(
        headingsOf(read(page)).map(nameOf).includes(heading),
        `${file} cites ${citation}, but there is no such heading`,
      );
    }
  }
  assert.ok(citations > 20, `only ${citations} citations were found: is their form still the same?`);
});

test('rules are cited by the name that they have in the protocol', () => {
  const byNumber = /\b[Ss]pec(?:ification)? section|\bsection \d+ of the spec|\bR(?:[1-9]|1\d)\b/g;
  for (const file of sources) {
    const cited = [...joinedLines(read(file)).matchAll(byNumber)].map(([text]) => text);
    assert.deepEqual(cited, [], `${file} cites a rule by number`);
  }
});

/** A heading without the number of its section. */
function nameOf(heading: string): string {
  return heading.replace(/^\d+\. /, '');
}

/** A citation may be broken into two lines of a comment. */
function joinedLines(text: string): string {
  return text.replace(/\s*\n\s*(?:\*(?!\/)|\/\/|#)?\s*/g, ' ');
}

function read(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8');
}
