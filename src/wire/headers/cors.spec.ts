import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { projectRoot } from '../../../test/support/project.js';
import { isPreflight, setCorsHeaders } from './cors.js';

const policy = { allowedMethods: ['GET', 'PUT'], maxAgeSeconds: 60 };

function corsOf(method: string, headers: Record<string, string>): Record<string, unknown> {
  const request = new IncomingMessage(new Socket());
  request.method = method;
  Object.assign(request.headers, headers);
  const response = new ServerResponse(request);
  setCorsHeaders(request, response, policy);
  return response.getHeaders();
}

/** Those that pages may read of any answer (Fetch standard), and one for proxies on the way. */
const readByAll = new Set(['cache-control', 'content-length', 'content-type', 'x-accel-buffering']);

/** The headers that answers have by a contract. */
function headersOf(contract: string): string[] {
  const text = readFileSync(join(projectRoot, 'openapi', `${contract}.json`), 'utf8');
  const names = new Set<string>();
  JSON.parse(text, (key, value: unknown) => {
    if (key === 'headers') for (const name of Object.keys(value as object)) names.add(name.toLowerCase());
    return value;
  });
  return [...names];
}

describe('CORS headers', () => {
  test('are absent without Origin', () => {
    assert.deepEqual({ ...corsOf('OPTIONS', { 'access-control-request-method': 'PUT' }) }, {});
  });

  test('allow every page to read answers, but name no methods except to a preflight', () => {
    const headers = corsOf('GET', { origin: 'null', 'access-control-request-method': 'PUT' });
    assert.equal(headers['access-control-allow-origin'], '*');
    assert.equal(headers['access-control-max-age'], '60');
    assert.equal(headers['access-control-allow-methods'], undefined);
    assert.equal(headers['access-control-allow-headers'], undefined);
  });

  test('of a preflight name methods, and headers when it asks for some', () => {
    const preflight = { origin: 'https://e', 'access-control-request-method': 'PUT' };
    assert.equal(corsOf('OPTIONS', preflight)['access-control-allow-methods'], 'GET, PUT');
    const asking = { ...preflight, 'access-control-request-headers': 'authorization' };
    assert.match(String(corsOf('OPTIONS', asking)['access-control-allow-headers']), /^\*, Authorization,/);
  });

  for (const contract of ['daemon', 'proxy']) {
    test(`let a page read every header that the contract of the ${contract} has`, () => {
      const exposed = String(corsOf('GET', { origin: 'https://e' })['access-control-expose-headers']);
      const names = exposed.toLowerCase().split(', ');
      const hidden = headersOf(contract).filter((name) => !readByAll.has(name) && !names.includes(name));
      assert.deepEqual(hidden, []);
    });
  }

  test('of a plain OPTIONS are not those of a preflight', () => {
    const request = new IncomingMessage(new Socket());
    request.method = 'OPTIONS';
    assert.equal(isPreflight(request), false);
    request.headers['access-control-request-method'] = 'PUT';
    assert.equal(isPreflight(request), true);
  });
});
