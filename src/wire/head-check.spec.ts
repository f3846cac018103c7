import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { errorStatus } from './error-response.js';
import { headRefusal } from './head-check.js';

function status(httpVersion: string, rawHeaders: string[], requiresHost = true): number | undefined {
  const refusal = headRefusal({ httpVersion, rawHeaders } as IncomingMessage, requiresHost);
  return refusal === undefined ? undefined : errorStatus(refusal);
}

for (const [what, version, headers, expected] of [
  ['one Host', '1.1', ['Accept', '*/*', 'Host', 'a'], undefined],
  ['an empty Host', '1.1', ['Host', ''], undefined],
  ['no Host', '1.1', ['Hosts', 'a', 'X', 'host'], 400],
  ['no Host in HTTP/1.0', '1.0', [], undefined],
  ['two Hosts', '1.1', ['Host', 'a', 'Host', 'b'], 400],
  ['the same Host twice, however it is written', '1.1', ['Host', 'a', 'X', 'y', 'hOST', 'a'], 400],
  ['two Hosts in HTTP/1.0', '1.0', ['Host', 'a', 'host', 'b'], 400],
  ['HTTP/0.9', '0.9', ['Host', 'a'], 505],
  ['HTTP/2.0', '2.0', ['Host', 'a'], 505],
  ['HTTP/2.0 and two Hosts', '2.0', ['Host', 'a', 'Host', 'b'], 505],
] as const) {
  test(`answers a head with ${what} with ${expected ?? 'no refusal'}`, () => {
    assert.equal(status(version, [...headers]), expected);
  });
}

test('does not need Host where none is required, and takes one at most', () => {
  assert.equal(status('1.1', [], false), undefined);
  assert.equal(status('1.1', ['Host', 'a', 'Host', 'a'], false), 400);
});
