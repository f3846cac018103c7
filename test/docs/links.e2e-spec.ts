import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { anchorsOf, projectFiles, proseOf } from '../support/markdown.js';
import { projectRoot } from '../support/project.js';

for (const page of projectFiles(['.md'])) {
  test(`every link of ${page} leads somewhere in this project`, () => {
    const broken = linksOf(read(page)).filter((link) => !leadsSomewhere(page, link));
    assert.deepEqual(broken, []);
  });
}

/** The targets of the links and pictures of a page that stay within the project. */
function linksOf(page: string): string[] {
  const prose = proseOf(page).replace(/`[^`\n]*`/g, '');
  const inline = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)[^)]*\)/g)];
  const referenced = [...prose.matchAll(/^ *\[[^\]]+\]: *<?(\S+?)>?$/gm)];
  const html = [...prose.matchAll(/<(?:a|img)\b[^>]*\b(?:href|src)="([^"]+)"/g)];
  return [...inline, ...referenced, ...html]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z][a-z+.-]*:/i.test(target));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = decodeURI(link).split('#');
  const target = path === '' ? page : join(dirname(page), path);
  // A page of a published project cannot link to what is beside it on one machine.
  if (relative('.', target).startsWith('..') || !existsSync(join(projectRoot, target))) return false;
  return anchor === undefined || (target.endsWith('.md') && anchorsOf(read(target)).has(anchor));
}

function read(page: string): string {
  return readFileSync(join(projectRoot, page), 'utf8');
}
