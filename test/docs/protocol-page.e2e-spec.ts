import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { statusOfError } from '../../src/http/error-response.js';
import { projectRoot } from '../support/project.js';

const page = readFileSync(join(projectRoot, 'docs', 'protocol.md'), 'utf8');

test('the protocol explains every status that the contracts and the errors have', () => {
  const explained = new Set([...page.matchAll(/^\| (\d{3}) +\|/gm)].map(([, status]) => Number(status)));
  const used = new Set([...statusesOfContracts(), ...statusOfError.map(([, status]) => status)]);
  assert.deepEqual(
    [...used].filter((status) => !explained.has(status)),
    [],
  );
});

function statusesOfContracts(): number[] {
  const folder = join(projectRoot, 'openapi');
  const contracts = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return contracts.flatMap((name) => {
    const { paths } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as {
      paths: Record<string, Record<string, { responses?: object }>>;
    };
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    return operations.flatMap(({ responses = {} }) => Object.keys(responses).map(Number));
  });
}
