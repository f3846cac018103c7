import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ImagesClient } from '../support/client.js';
import type { Answer } from '../support/exchange.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';
import { parseAnswer, requestBytes } from './raw-answers.js';

const origin = { Origin: 'https://engine.example.com' };

function corsHeaders({ headers }: Pick<Answer, 'headers'>): string[] {
  return Object.keys(headers).filter((name) => name.startsWith('access-control-'));
}

function list(value: string | undefined): string[] {
  return (value ?? '').split(',').map((item) => item.trim().toLowerCase());
}

describe('CORS', () => {
  let fixture: DaemonUnderTest;
  let client: ImagesClient;
  let ticket: ImageTicket;
  before(async () => {
    fixture = await DaemonUnderTest.start();
    client = fixture.client();
    ticket = await fixture.addImage(100);
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  for (const [method, path] of [
    ['GET', ''],
    ['HEAD', ''],
    ['OPTIONS', ''],
    ['PUT', ''],
    ['GET', '/extents'],
    ['POST', ''],
  ] as const) {
    test(`adds no header to ${method} ${path} without Origin`, async () => {
      const answer = await client.request(method, `${ticket.path}${path}`, {
        headers: { 'Access-Control-Request-Method': 'PUT' },
        ...(method === 'PUT' ? { body: 'x' } : {}),
      });
      assert.deepEqual(corsHeaders(answer), []);
    });
  }

  const shown: readonly (readonly [string, string, Record<string, string>, number])[] = [
    ['GET', '/images/none', {}, 403],
    ['GET', '/images/', {}, 400],
    ['GET', '/nothing', {}, 404],
    ['POST', '/images/none', {}, 405],
    ['GET', '/info/', {}, 200],
    ['PUT', '/images/none', { 'Content-Range': 'bytes' }, 400],
  ];
  for (const [method, path, headers, status] of shown) {
    test(`lets a page read the answer ${status} to ${method} ${path}`, async () => {
      const answer = await client.request(method, path, { headers: { ...origin, ...headers } });
      assert.equal(answer.status, status);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      for (const name of [
        'content-range',
        'content-length',
        'content-disposition',
        'session-id',
        'allow',
        'accept-ranges',
        'link',
        'location',
        'content-digest',
        'upload-offset',
        'upload-received',
      ]) {
        assert.ok(list(answer.headers['access-control-expose-headers']).includes(name), name);
      }
    });
  }

  test('lets a page read image data, extents and the answers to writes', async () => {
    const { path } = ticket;
    for (const answer of [
      await client.request('GET', path, { headers: origin }),
      await client.request('GET', path, { headers: { ...origin, Range: 'bytes=0-9' } }),
      await client.request('GET', path, { headers: { ...origin, Range: 'bytes=200-' } }),
      await client.request('HEAD', path, { headers: origin }),
      await client.request('GET', `${path}/extents`, { headers: origin }),
      await client.request('PUT', path, { headers: origin, body: 'x' }),
      await client.request('PATCH', path, { headers: origin, body: '{"op":"flush"}' }),
      await client.request('OPTIONS', path, { headers: origin }),
    ]) {
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.headers['access-control-allow-methods'], undefined);
      assert.equal(answer.headers.range, undefined);
    }
  });

  for (const suffix of ['?flush=n', '?close=y', '']) {
    test(`answers the preflight of the administration portal for ${suffix || 'no query'}`, async () => {
      const answer = await client.request('OPTIONS', `${ticket.path}${suffix}`, {
        headers: {
          ...origin,
          'Access-Control-Request-Method': 'PUT',
          'Access-Control-Request-Headers': 'authorization,cache-control,content-range,content-type,pragma',
        },
      });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.headers['access-control-max-age'], '86400');
      const methods = list(answer.headers['access-control-allow-methods']);
      assert.deepEqual([...methods].sort(), ['delete', 'get', 'head', 'options', 'patch', 'put']);
      const headers = list(answer.headers['access-control-allow-headers']);
      for (const name of [
        '*',
        'authorization',
        'content-digest',
        'content-range',
        'content-type',
        'range',
        'session-id',
        'upload-parallel',
        'want-content-digest',
      ]) {
        assert.ok(headers.includes(name), name);
      }
    });
  }

  test('tells no headers to a preflight that asks for none', async () => {
    const answer = await client.request('OPTIONS', ticket.path, {
      headers: { ...origin, 'Access-Control-Request-Method': 'GET' },
    });
    assert.equal(answer.headers['access-control-allow-headers'], undefined);
    assert.notEqual(answer.headers['access-control-allow-methods'], undefined);
  });

  test('answers the preflight for an unknown ticket, so that the page can read the refusal', async () => {
    const preflight = { headers: { ...origin, 'Access-Control-Request-Method': 'GET' } };
    assert.equal((await client.request('OPTIONS', '/images/none', preflight)).status, 200);
    const refused = await client.request('GET', '/images/none', { headers: origin });
    assert.deepEqual([refused.status, refused.headers['access-control-allow-origin']], [403, '*']);
  });

  test('lets a page read why its unfinished upload was refused', async () => {
    const socket = await fixture.connect();
    await socket.send(
      requestBytes('PUT', ticket.path, ['Origin: https://engine.example.com', 'Content-Length: 5'], 'x'),
    );
    socket.halfClose();
    const answer = parseAnswer(await socket.readUntilClose());
    assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [400, '*']);
  });
});
