import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from '../support/exchange.js';
import { describeWire } from './wire-under-test.js';

const image = Buffer.alloc(100_000, 'image');

/** The same image by a path that has to be decoded, which the router does. */
function encoded(path: string): string {
  const at = '/images/'.length;
  return `${path.slice(0, at)}%${path.charCodeAt(at).toString(16)}${path.slice(at + 1)}`;
}

/** What may differ between two answers to the same request. */
const ofThisAnswer = new Set(['date', 'x-request-id', 'session-id']);

function comparable({ status, reason, headers, body }: Answer): unknown {
  const told = Object.entries(headers).filter(([name]) => !ofThisAnswer.has(name));
  return { status, reason, headers: Object.fromEntries(told.sort()), body: body.toString('latin1') };
}

describeWire('a request that does not need the router is answered as by it', {}, (wire) => {
  const origin = { Origin: 'https://engine.example.com' };
  const cases: readonly (readonly [string, string, Record<string, string>, string?])[] = [
    ['GET', '', {}],
    ['GET', '?close=y', {}],
    ['GET', '?close=maybe', {}],
    ['GET', '?unknown=1&other=', {}],
    ['GET', '?close=n&close=y', {}],
    ['GET', '', origin],
    ['GET', '', { Range: 'bytes=5-70000' }],
    ['GET', '', { Range: 'bytes=0-4095', ...origin }],
    ['GET', '', { Range: 'bytes=100000-' }],
    ['GET', '', { Range: 'bytes=-0' }],
    ['GET', '', { Range: 'sectors=1-2' }],
    ['GET', '', { Range: 'bytes=0-99', 'Want-Content-Digest': 'sha-256=1' }],
    ['GET', '', { 'Content-Type': 'not a type' }],
    ['GET', '', Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`X-Field-${index}`, 'x']))],
    ['PUT', '', {}, 'uploaded'],
    ['PUT', '?flush=n', { 'Content-Range': 'bytes 500-507/*' }, 'uploaded'],
    ['PUT', '?flush=perhaps', {}, 'uploaded'],
    ['PUT', '?flush=n', { 'Content-Range': 'bytes 99999-100006/*' }, 'uploaded'],
    ['PUT', '', { 'Content-Range': 'bytes x-y/*' }, 'uploaded'],
    ['PUT', '', { 'Content-Type': 'not a type', ...origin }, 'uploaded'],
    ['PUT', '', { 'Upload-Parallel': '?1' }, 'uploaded'],
    ['PUT', '', {}, ''],
  ];
  for (const [method, query, headers, body] of cases) {
    const title = JSON.stringify(headers).slice(0, 80);
    test(`${method} ${query} ${title} ${body ?? ''}`, async () => {
      const client = wire.client();
      const answers: unknown[] = [];
      for (const pathOf of [String, encoded]) {
        const { path } = await wire.addImage(image, { ops: ['read', 'write'] });
        const answer = await client.request(method, `${pathOf(path)}${query}`, {
          headers: { ...wire.credentials(path), ...headers },
          ...(body === undefined ? {} : { body }),
        });
        answers.push(comparable(answer));
      }
      assert.deepEqual(answers[0], answers[1]);
    });
  }

  test('with a ticket that is not known', async () => {
    const client = wire.client();
    const path = await wire.addUnknownImage();
    const plain = await client.request('GET', path, { headers: wire.credentials(path) });
    const routed = await client.request('GET', encoded(path), { headers: wire.credentials(path) });
    assert.equal(plain.status, routed.status);
    assert.deepEqual(comparable(plain), comparable(routed));
  });
});
