import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { imagePath } from '../support/client.js';
import { ProxiesUnderTest } from './proxies-under-test.js';

describe('wrong credentials at a proxy', () => {
  let fixture: ProxiesUnderTest;
  before(async () => {
    fixture = await ProxiesUnderTest.start();
  });
  after(() => fixture[Symbol.asyncDispose]());

  test('are answered with 429 and when to try again after too many, right ones are taken', async () => {
    const proxy = await fixture.startProxy({
      limits: { failed_authentications_per_address: 3, failed_authentications_per_sec: 0.01 },
    });
    const image = await fixture.addImage(Buffer.from('content'), { ops: ['read'] });
    const path = imagePath(image.ticketId);
    const client = fixture.client(proxy);
    const wrong: [method: string, path: string, headers?: Record<string, string>, body?: string][] = [
      ['GET', path],
      ['GET', path, { 'Session-Id': randomUUID() }],
      ['GET', path, { Authorization: 'bm90IHNpZ25lZA==' }],
      ['GET', `${path}?session_id=${randomUUID()}`],
      ['HEAD', path],
      ['OPTIONS', path],
      ['PUT', path, { 'Content-Range': 'bytes 0-2/*' }, 'abc'],
      ['PATCH', path, { 'Content-Type': 'application/json' }, '{"op":"flush"}'],
      ['GET', `${path}/extents`],
      ['POST', '/sessions/', { Authorization: 'bm90IHNpZ25lZA==' }],
      ['POST', '/sessions/', { 'Session-Id': randomUUID() }],
      ['DELETE', `/sessions/${randomUUID()}`],
      ['PUT', '/tickets/', {}, 'bm90IHNpZ25lZA=='],
      ['DELETE', `/tickets/${randomUUID()}`],
    ];
    const answers = [];
    for (const [method, target, headers = {}, body] of wrong) {
      answers.push(await client.request(method, target, { headers, ...(body !== undefined && { body }) }));
    }
    assert.deepEqual(
      answers.map(({ status }) => status),
      [401, 403, 401, ...Array<number>(wrong.length - 3).fill(429)],
    );
    for (const { status, headers, text } of answers.filter(({ status }) => status === 429)) {
      assert.ok(Number(headers['retry-after']) > 0, `${status} with ${headers['retry-after']}`);
      assert.match(text, /^(Too many failed authentications from this address\n)?$/);
    }
    const right = { Authorization: fixture.sign(image) };
    assert.equal((await client.request('GET', path, { headers: right })).text, 'content');
    const session = await fixture.openSession(proxy, image);
    assert.equal((await client.request('GET', path, { headers: { 'Session-Id': session } })).status, 200);
  });
});
