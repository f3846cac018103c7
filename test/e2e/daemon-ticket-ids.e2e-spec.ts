import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ImagesClient } from '../support/client.js';
import { DaemonUnderTest } from './daemon-under-test.js';

const ids: readonly (readonly [string, string])[] = [
  ['slashes', 'a/b/c'],
  ['a slash at its end', 'a/'],
  ['a percent sign', '%2e%2e'],
  ['two dots', '..'],
  ['dots and slashes', '../../tickets/x'],
  ['the name of a prototype', '__proto__'],
  ['the name of a method', 'constructor'],
  ['512 characters', 'i'.repeat(512)],
  ['512 characters of four bytes', '💾'.repeat(512)],
  ['a NUL', 'a\0b'],
  ['a question mark and a hash', 'a?b#c'],
  ['a space and a plus', 'a b+c'],
  ['umlauts', 'Bäume/äöü'],
  ['an emoji', '💾'],
  ['a line break', 'a\r\nX-Evil: 1'],
  ['a colon and a star', ':id*'],
  ['the name of a sub-resource', 'extents'],
  ['a sub-resource inside', 'x/extents/y'],
];

describe('ticket ids', () => {
  let fixture: DaemonUnderTest;
  let client: ImagesClient;
  before(async () => {
    fixture = await DaemonUnderTest.start();
    client = fixture.client();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  for (const [what, id] of ids) {
    test(`may have ${what}`, async () => {
      const image = Buffer.from(`image of ${what}`);
      const { path } = await fixture.addImage(image, { uuid: id });
      assert.equal((await fixture.vdsm.getTicket(id)).uuid, id);
      const answer = await client.request('GET', path);
      assert.deepEqual([answer.status, answer.text], [200, image.toString()]);
      assert.equal((await client.request('OPTIONS', path)).status, 200);
      assert.equal((await client.request('PUT', path, { body: 'X' })).status, 200);
      assert.equal((await client.request('GET', `${path}/extents`)).status, 200);
      await fixture.vdsm.removeTicket(id);
      assert.equal((await client.request('GET', path)).status, 403);
      assert.equal((await fixture.vdsm.request('GET', path.replace('/images/', '/tickets/'))).status, 404);
    });
  }

  test('may have slashes that the client does not encode', async () => {
    await fixture.addImage(Buffer.from('plain'), { uuid: 'a/b' });
    assert.equal((await client.request('GET', '/images/a/b')).text, 'plain');
    assert.equal((await client.request('GET', '/images/a%2Fb')).text, 'plain');
    assert.equal((await client.request('GET', '/images/a/b/extents')).status, 200);
    assert.equal((await fixture.vdsm.request('GET', '/tickets/a/b')).status, 200);
  });

  for (const id of ['%', '%zz', '%c3', '%ff%fe']) {
    test(`that are wrongly encoded as ${id} are refused with 400`, async () => {
      assert.equal((await client.request('GET', `/images/${id}`)).status, 400);
      assert.equal((await fixture.vdsm.request('GET', `/tickets/${id}`)).status, 400);
    });
  }

  for (const id of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '*']) {
    test(`such as ${id} are unknown until they are added`, async () => {
      assert.equal((await client.request('GET', `/images/${id}`)).status, 403);
      assert.equal((await fixture.vdsm.request('GET', `/tickets/${id}`)).status, 404);
    });
  }

  test('that are longer than 512 characters are refused with 400, in paths and in tickets', async () => {
    const id = 'i'.repeat(513);
    const refusal = [400, 'The id in the path has more than 512 characters\n'];
    for (const [method, suffix] of [
      ['GET', ''],
      ['PUT', ''],
      ['PATCH', ''],
      ['OPTIONS', ''],
      ['GET', '/extents'],
      ['GET', '/checksum'],
    ] as const) {
      const { status, text } = await client.request(method, `/images/${id}${suffix}`);
      assert.deepEqual([status, text], refusal, `${method} ${suffix}`);
    }
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const { status, text } = await fixture.vdsm.request(method, `/tickets/${id}`, '{}');
      assert.deepEqual([status, text], refusal, method);
    }
  });

  test('are told apart by every byte', async () => {
    await fixture.addImage(Buffer.from('lower'), { uuid: 'case' });
    assert.equal((await client.request('GET', '/images/CASE')).status, 403);
    assert.equal((await client.request('GET', '/images/case%20')).status, 403);
    assert.equal((await client.request('GET', '/images/%63ase')).text, 'lower');
  });
});
