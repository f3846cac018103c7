import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import type { Answer } from '../support/exchange.js';
import type { Service } from '../support/processes.js';
import type { RawSocket } from '../support/raw-socket.js';
import { RedisServer } from '../support/redis-server.js';
import { needs } from '../support/requirements.js';
import { ProxiesUnderTest, type DaemonImage } from './proxies-under-test.js';

describe('two proxies that share sessions in Redis', { skip: needs('redis-server') }, () => {
  let redis: RedisServer;
  let fixture: ProxiesUnderTest;
  let one: Service;
  let other: Service;
  before(async () => {
    redis = await RedisServer.start(['--requirepass', 's3cret-word']);
    fixture = await ProxiesUnderTest.start();
    const store = redis.url.replace('//', '//:s3cret-word@');
    const configuration = { proxy: { session_store: store }, logging: { level: 'debug' } };
    [one, other] = await Promise.all([fixture.startProxy(configuration), fixture.startProxy(configuration)]);
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  function read(proxy: Service, image: DaemonImage, headers: Record<string, string>): Promise<Answer> {
    return fixture.client(proxy).request('GET', imagePath(image.ticketId), { headers });
  }

  /** Begins an upload of 1000 bytes and sends half of them. */
  async function beginUpload(proxy: Service, image: DaemonImage, sessionId: string): Promise<RawSocket> {
    const socket = await fixture.connect(proxy);
    await socket.sendHead(
      `PUT ${imagePath(image.ticketId)} HTTP/1.1`,
      'Host: localhost',
      `Session-Id: ${sessionId}`,
      'Content-Length: 1000',
    );
    await socket.send('x'.repeat(500));
    await eventually(
      async () => (await fixture.daemon.vdsm.getTicket(image.ticketId)).active || undefined,
      'the upload has reached the daemon',
    );
    return socket;
  }

  /** Resolves when the proxy can use Redis again. */
  async function storeIsBack(proxy: Service): Promise<void> {
    const probe = { 'Session-Id': randomUUID() };
    await eventually(
      async () => (await read(proxy, { ticketId: 'none', file: '' }, probe)).status === 403 || undefined,
      'the store is back',
    );
  }

  test('take a session that was opened at the other one', async () => {
    const image = await fixture.addImage(Buffer.from('content'), { ops: ['read'] });
    const sessionId = await fixture.openSession(one, image);
    const answer = await read(other, image, { 'Session-Id': sessionId });
    assert.deepEqual([answer.status, answer.text], [200, 'content']);
    assert.equal(answer.headers['session-id'], sessionId);
    const byTicket = await read(other, image, { Authorization: fixture.sign(image) });
    assert.notEqual(byTicket.headers['session-id'], sessionId);
    const link = await fixture
      .client(other, { query: `session_id=${sessionId}` })
      .request('GET', imagePath(image.ticketId));
    assert.equal(link.status, 200);
  });

  test('cut an upload at one when its session is deleted at the other', async () => {
    const image = await fixture.addImage(Buffer.alloc(1000));
    const sessionId = await fixture.openSession(one, image);
    const upload = await beginUpload(one, image, sessionId);
    const deleted = await fixture.client(other).request('DELETE', `/sessions/${sessionId}`);
    assert.equal(deleted.status, 204);
    assert.match((await upload.readUntilClose()).toString(), /^HTTP\/1\.1 403 [^]*the session was deleted/);
    for (const proxy of [one, other]) {
      assert.equal((await read(proxy, image, { 'Session-Id': sessionId })).status, 403);
      assert.equal((await fixture.client(proxy).request('DELETE', `/sessions/${sessionId}`)).status, 404);
    }
  });

  test('share signed tickets of PUT /tickets/, and their removal', async () => {
    const image = await fixture.addImage(Buffer.from('content'), { ops: ['read'] });
    const put = await fixture.client(one).request('PUT', '/tickets/', { body: fixture.sign(image) });
    assert.equal(put.status, 200);
    assert.equal((await read(other, image, {})).text, 'content');
    const removed = await fixture.client(other).request('DELETE', `/tickets/${image.ticketId}`);
    assert.equal(removed.status, 204);
    assert.equal((await read(one, image, {})).status, 401);
  });

  test('forget a session at the exp of its ticket', async () => {
    const image = await fixture.addImage(Buffer.from('content'), { ops: ['read'] });
    const sessionId = await fixture.openSession(one, image, { lifetimeSeconds: 2 });
    assert.equal((await read(other, image, { 'Session-Id': sessionId })).status, 200);
    const expired = await eventually(async () => {
      const answer = await read(other, image, { 'Session-Id': sessionId });
      return answer.status === 200 ? undefined : answer;
    }, 'the session expires');
    assert.equal(expired.status, 403);
    assert.match(expired.text, /unknown or has expired/);
  });

  test('go on without Redis where they can, refuse clearly where not, and recover', async () => {
    const image = await fixture.addImage(Buffer.alloc(1000));
    const sessionId = await fixture.openSession(one, image);
    const controlled = await fixture.addImage(Buffer.from('content'), { ops: ['read'] });
    await one.vdsm.addTicket({
      uuid: controlled.ticketId,
      size: 7,
      ops: ['read'],
      timeout: 300,
      url: `${fixture.daemon.url}/images/${controlled.ticketId}`,
    });
    const upload = await beginUpload(one, image, sessionId);
    await redis.kill();

    const answers = await Promise.all([
      read(one, image, { 'Session-Id': sessionId }),
      read(other, image, { Authorization: fixture.sign(image) }),
      fixture
        .client(other)
        .request('POST', '/sessions/', { headers: { Authorization: fixture.sign(image) } }),
      fixture.client(one).request('DELETE', `/sessions/${sessionId}`),
      read(other, controlled, {}),
    ]);
    for (const answer of answers) {
      assert.equal(answer.status, 503);
      assert.equal(answer.headers['retry-after'], '5');
      assert.equal(answer.text, 'Sessions are not available at the moment\n');
    }
    // A control ticket is this proxy's own, and needs no store.
    assert.equal((await read(one, controlled, {})).text, 'content');
    // What was running goes on to its end.
    await upload.send('y'.repeat(500));
    await upload.readUntil('HTTP/1.1 200');
    assert.equal((await readFile(image.file)).compare(Buffer.from('x'.repeat(500) + 'y'.repeat(500))), 0);

    await redis.restart();
    await Promise.all([storeIsBack(one), storeIsBack(other)]);
    // The proxy that knows the session has given it back to the server, which came up empty.
    const answer = await fixture
      .client(other)
      .request('OPTIONS', imagePath(image.ticketId), { headers: { 'Session-Id': sessionId } });
    assert.equal(answer.status, 200);
    const again = await beginUpload(one, image, sessionId);
    assert.equal((await fixture.client(other).request('DELETE', `/sessions/${sessionId}`)).status, 204);
    assert.match((await again.readUntilClose()).toString(), /^HTTP\/1\.1 403 /);
  });

  test('start without Redis, and serve sessions once it is there', async () => {
    await using late = await RedisServer.stopped();
    const proxy = await fixture.startProxy({ proxy: { session_store: late.url } });
    const image = await fixture.addImage(Buffer.from('content'), { ops: ['read'] });
    const refused = await read(proxy, image, { Authorization: fixture.sign(image) });
    assert.equal(refused.status, 503);
    await late.restart();
    await storeIsBack(proxy);
    assert.equal((await read(proxy, image, { Authorization: fixture.sign(image) })).text, 'content');
    await proxy.stop();
  });

  test('stop in order, and log neither the password nor ids', async () => {
    const image = await fixture.addImage(Buffer.from('content'), { ops: ['read'] });
    const sessionId = await fixture.openSession(one, image);
    await fixture.client(other).request('DELETE', `/sessions/${sessionId}`);
    await Promise.all([one.stop(), other.stop()]);
    for (const { logText } of [one, other]) {
      assert.match(logText, /The session store is away/);
      assert.match(logText, /The session store is available/);
      for (const secret of ['s3cret-word', sessionId, image.ticketId]) assert.ok(!logText.includes(secret));
    }
  });
});
