import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import type { Answer } from '../support/exchange.js';
import type { Service } from '../support/processes.js';
import { RedisServer } from '../support/redis-server.js';
import { needs } from '../support/requirements.js';
import { ProxiesUnderTest, type DaemonImage } from './proxies-under-test.js';

/** What clients of sessions see at proxies, wherever the sessions are. */
function describeSessions(store: 'memory' | 'Redis', skip: string | false): void {
  describe(`sessions of proxies with a store in ${store}`, { skip }, () => {
    let redis: RedisServer | undefined;
    let fixture: ProxiesUnderTest;
    let proxies: readonly Service[];
    let proxy: Service;
    before(async () => {
      fixture = await ProxiesUnderTest.start();
      if (store === 'Redis') redis = await RedisServer.start();
      const configuration = {
        limits: { sessions: 20 },
        ...(redis && { proxy: { session_store: redis.url } }),
      };
      const count = redis === undefined ? 1 : 2;
      proxies = await Promise.all(Array.from({ length: count }, () => fixture.startProxy(configuration)));
      proxy = proxies[0]!;
    });
    after(async () => {
      await fixture[Symbol.asyncDispose]();
      await redis?.[Symbol.asyncDispose]();
    });

    function read(image: DaemonImage, headers: Record<string, string>, query = ''): Promise<Answer> {
      const client = fixture.client(proxies.at(-1)!, { query });
      return client.request('GET', imagePath(image.ticketId), { headers });
    }

    test('are not handed over to the image of another signed ticket, whose id comes beside it', async () => {
      const mine = await fixture.addImage(Buffer.from('mine'), { ops: ['read'] });
      const theirs = await fixture.addImage(Buffer.from('theirs'), { ops: ['read'] });
      const victim = await fixture.openSession(proxy, mine);
      const headers = { Authorization: fixture.sign(theirs) };
      const opened = [
        await read(theirs, headers, `session_id=${victim}`),
        await read(theirs, { ...headers, 'Session-Id': victim }),
        await fixture
          .client(proxy, { query: `session_id=${victim}` })
          .request('POST', '/sessions/', { headers }),
        await fixture
          .client(proxy)
          .request('POST', '/sessions/', { headers: { ...headers, 'Session-Id': victim } }),
      ];
      for (const answer of opened) {
        assert.equal(answer.status, 200);
        assert.notEqual(answer.headers['session-id'], victim);
      }
      assert.equal((await read(mine, {}, `session_id=${victim}`)).text, 'mine');
      const refused = await read(theirs, { 'Session-Id': victim });
      assert.deepEqual(
        [refused.status, refused.text],
        [400, 'Requested resource must match transfer ticket\n'],
      );
    });

    test('go on with a newer signed ticket of the same transfer, not by their id in a link', async () => {
      const image = await fixture.addImage(Buffer.from('mine'), { ops: ['read'] });
      const session = await fixture.openSession(proxy, image, { lifetimeSeconds: 1000 });
      const headers = { Authorization: fixture.sign(image, { lifetimeSeconds: 2000 }) };
      const renewed = await read(image, { ...headers, 'Session-Id': session });
      assert.deepEqual([renewed.status, renewed.headers['session-id']], [200, session]);
      const shown = await fixture
        .client(proxy)
        .request('POST', '/sessions/', { headers: { 'Session-Id': session } });
      const { expires } = JSON.parse(shown.text) as { expires: number };
      assert.ok(expires > Date.now() / 1000 + 1500, shown.text);
      const byLink = await read(image, headers, `session_id=${await fixture.openSession(proxy, image)}`);
      assert.equal(byLink.headers['session-id'], session, 'the session that this ticket renewed');
    });

    test('of one signed ticket leave room for others, and what is relayed goes on', async () => {
      const image = await fixture.addImage(Buffer.alloc(1000));
      const used = await fixture.openSession(proxy, image);
      const idle = await fixture.openSession(proxy, image);
      const upload = await fixture.connect(proxy);
      await upload.sendHead(
        `PUT ${imagePath(image.ticketId)} HTTP/1.1`,
        'Host: localhost',
        `Session-Id: ${used}`,
        'Content-Length: 1000',
      );
      await upload.send('x'.repeat(500));
      await eventually(
        async () => (await fixture.daemon.vdsm.getTicket(image.ticketId)).active || undefined,
        'the upload has reached the daemon',
      );
      const headers = { Authorization: fixture.sign(image) };
      const clients = proxies.map((each) => fixture.client(each));
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, index) =>
          clients[index % clients.length]!.request('POST', '/sessions/', { headers }),
        ),
      );
      for (const answer of answers) assert.equal(answer.status, 200, answer.text);
      const others = await fixture.addImage(Buffer.from('others'), { ops: ['read'] });
      const session = await fixture.openSession(proxies.at(-1)!, others);
      assert.equal((await read(others, { 'Session-Id': session })).text, 'others');
      assert.equal((await read(image, { 'Session-Id': idle })).status, 403);
      const newest = await fixture.openSession(proxy, image);
      assert.equal((await read(image, { 'Session-Id': newest })).status, 200);
      await upload.send('y'.repeat(500));
      await upload.readUntil('HTTP/1.1 200');
    });
  });
}

describeSessions('memory', false);
describeSessions('Redis', needs('redis-server'));
