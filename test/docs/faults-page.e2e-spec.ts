import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../support/project.js';

interface FaultRow {
  readonly fault: string;
  readonly answer: string;
  readonly file: string;
  readonly test: string;
}

test('every row of the page on faults says what is answered and names a test that exists', () => {
  const rows = faultRows();
  assert.ok(rows.length > 0, 'the page has no rows');
  const told = new Set<string>();
  for (const { fault, answer, file, test: name } of rows) {
    assert.ok(!told.has(fault), `told twice: ${fault}`);
    told.add(fault);
    assert.ok(answer.length > 0, `no answer in the row of ${name}`);
    assert.ok(existsSync(join(projectRoot, file)), `${file} does not exist`);
    // Prettier breaks long names into several lines, never inside of the text itself.
    assert.ok(
      readFileSync(join(projectRoot, file), 'utf8').includes(name),
      `${file} has no test called: ${name}`,
    );
  }
});

function faultRows(): FaultRow[] {
  const page = readFileSync(join(projectRoot, 'docs', 'faults.md'), 'utf8');
  return page
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (?:case|-+) /.test(line))
    .map((line) => {
      const row = /^\| (\S.*?) +\| (\S.*?) +\| `((?:src|test)\/\S+\.ts)`: (\S.*?) +\|$/.exec(line);
      assert.ok(row !== null, `not a row of case, answer and test: ${line}`);
      const [, fault = '', answer = '', file = '', name = ''] = row;
      return { fault, answer, file, test: name };
    });
}
