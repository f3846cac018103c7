import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { MiB } from '../../src/base/units.js';
import { imagePath } from '../support/client.js';
import { certificates } from './relay-certificates.js';
import { RelayUnderTest } from './relay-under-test.js';
import { ScriptedDaemon } from './scripted-daemon.js';

const { pki, daemon: identity } = await certificates();
const image = randomBytes(5 * MiB + 3);

describe('relayed bodies', () => {
  test('relays a download byte for byte with its length', async () => {
    await using daemon = await ScriptedDaemon.start(identity, ({ response }) => {
      response.writeHead(200, { 'Content-Length': image.length }).end(image);
    });
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin, { ops: ['read'] });
    const answer = await relay.client().request('GET', imagePath(id));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-length'], String(image.length));
    assert.ok(answer.body.equals(image));
  });

  test('relays an upload byte for byte with its length', async () => {
    let received: Buffer | undefined;
    await using daemon = await ScriptedDaemon.start(identity, ({ request, response }) => {
      void buffer(request).then((body) => {
        received = body;
        response.end();
      });
    });
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    const answer = await relay.client().request('PUT', imagePath(id), { body: image });
    assert.equal(answer.status, 200);
    assert.equal(daemon.seen[0]?.request.headers['content-length'], String(image.length));
    assert.ok(received?.equals(image));
  });
});

describe('relaying', () => {
  test('makes Node warn of nothing', async () => {
    const warnings: Error[] = [];
    process.on('warning', (warning) => warnings.push(warning));
    await using daemon = await ScriptedDaemon.start(identity);
    await using relay = await RelayUnderTest.start(pki);
    const id = await relay.addTicket(daemon.origin);
    // More than the ten listeners that Node takes for a leak.
    for (let count = 0; count < 12; count++)
      await relay.client().request('PUT', imagePath(id), { body: 'x' });
    assert.deepEqual(warnings, []);
  });
});
