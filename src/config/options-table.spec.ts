import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { describeOptions } from './describe-options.js';
import { configurationReference } from './options-table.js';

// Resolved by the package's own name, so that it is found wherever the compiled files are.
const packageFile = new URL(import.meta.resolve('ovirt-imageio/package.json'));

test('docs/configuration.md says what the code says; else run "npm run docs:configuration"', () => {
  assert.equal(readFileSync(new URL('docs/configuration.md', packageFile), 'utf8'), configurationReference());
});

test('the reference has one row for each option, and shows defaults of both roles where they differ', () => {
  const rows = configurationReference()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  assert.equal(rows.length, describeOptions().length);
  assert.ok(rows.some((row) => row.startsWith('| `port` | `54322`; proxy: `54323` | 0 to 65535 |')));
  assert.ok(rows.some((row) => row.includes(String.raw`\u0000/org/ovirt/imageio`)));
});
