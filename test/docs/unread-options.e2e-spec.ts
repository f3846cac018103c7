import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configSections } from '../../src/config/config.js';
import { projectRoot } from '../support/project.js';
import { readOptions, typedProgram } from './option-reads.js';

const sourceFolder = join(projectRoot, 'src');
const configFolder = join(sourceFolder, 'config');

test('code outside src/config reads every option', () => {
  const files = readdirSync(sourceFolder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts') && !file.endsWith('.conformance.ts'))
    .map((file) => join(sourceFolder, file));
  const readers = new Set(files.filter((file) => !file.startsWith(`${configFolder}/`)));
  const read = readOptions(typedProgram(files), (file) => readers.has(file));
  const options = Object.values(configSections).flatMap(({ name, options }) =>
    Object.keys(options).map((property) => `[${name}] ${property}`),
  );
  assert.deepEqual(
    options.filter((option) => !read.has(option)),
    [],
    'nobody reads them: wire them, or move them to `ignored` of their section with the reason',
  );
});

test('an option that nobody reads is found, also when something else of its name is read', () => {
  const file = join(projectRoot, 'test', 'support', 'section-readers.ts');
  const read = readOptions(typedProgram([file]), (name) => name === file);
  assert.deepEqual([...read].sort(), [
    '[read] accessed',
    '[read] destructured',
    '[read] nested',
    '[read] picked',
    '[read] renamed',
  ]);
});
