import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeOptions } from '../../src/config/describe-options.js';
import { statusOfError } from '../../src/wire/error-response.js';
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

test('the protocol names options that there are', () => {
  const options = new Set(describeOptions().map(({ section, option }) => `[${section}] ${option}`));
  const named = [...page.matchAll(/`(\[[a-z_]+\] [a-z_0-9]+)(?: = [^`]*)?`/g)].map(([, name = '']) => name);
  assert.ok(named.length > 30, 'options are no longer found in the page');
  assert.deepEqual(
    named.filter((name) => name !== '[section] option' && !options.has(name)),
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
