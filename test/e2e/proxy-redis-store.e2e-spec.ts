import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import pino from 'pino';
import { systemClock } from '../../src/base/clock.js';
import { UnavailableError } from '../../src/base/errors.js';
import { describeGrantStore } from '../../src/sessions/stores/grant-store.conformance.js';
import { RedisConnection } from '../../src/sessions/stores/redis-connection.js';
import { RedisGrantStore } from '../../src/sessions/stores/redis-grant.store.js';
import { RedisSessionStore } from '../../src/sessions/stores/redis-session.store.js';
import { describeSessionStore } from '../../src/sessions/stores/session-store.conformance.js';
import type { SessionEnd } from '../../src/sessions/session.js';
import type { Grant } from '../../src/sessions/grant.js';
import { runFor } from '../support/session-leases.js';
import { eventually, within } from '../support/deadline.js';
import { Pki } from '../support/pki.js';
import { projectRoot } from '../support/project.js';
import { RedisServer } from '../support/redis-server.js';
import { needs } from '../support/requirements.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

const skip = needs('redis-server');
const storeOptions = {
  sessionsMax: 100,
  sessionsPerTicketMax: 8,
  sweepIntervalSeconds: 0.1,
  allowHttp: false,
};

/** As the proxy makes it, but more impatient; closed with the test. */
function connect(
  t: TestContext,
  url: string,
  logLines: string[] = [],
  authoritiesPem: string[] = [],
): RedisConnection {
  const connection = new RedisConnection(
    { url, authoritiesPem, commandTimeoutSeconds: 3 },
    pino({ level: 'debug' }, { write: (line: string) => logLines.push(line) }),
  );
  t.after(() => connection.close());
  return connection;
}

async function openStore(t: TestContext, url: string): Promise<RedisSessionStore> {
  const connection = connect(t, url);
  const store = new RedisSessionStore(connection, storeOptions, systemClock);
  t.after(() => store.close());
  await connection.open();
  return store;
}

function makeGrant(lifetimeSeconds = 3600): Grant {
  const now = Math.floor(Date.now() / 1000);
  return {
    transferTicketId: crypto.randomUUID(),
    imagedUri: new URL('https://localhost:54322'),
    notBeforeUnixSeconds: now,
    issuedAtUnixSeconds: now,
    expiresUnixSeconds: now + lifetimeSeconds,
    endsUnixSeconds: now + lifetimeSeconds,
    fingerprint: makeFingerprint(),
  };
}

function makeFingerprint(): string {
  return sha256(crypto.randomUUID());
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

const isUnavailable = (error: unknown): boolean => error instanceof UnavailableError;

describe('sessions in Redis', { skip }, () => {
  let server: RedisServer;
  before(async () => {
    server = await RedisServer.start();
  });
  after(() => server[Symbol.asyncDispose]());

  async function emptyServer(connection: RedisConnection): Promise<void> {
    await connection.open();
    await connection.run((client) => client.flushAll());
  }
  describeSessionStore('Redis', async (t, options, clock) => {
    const connection = connect(t, server.url);
    const store = new RedisSessionStore(connection, { ...options, allowHttp: false }, clock);
    t.after(() => store.close());
    await emptyServer(connection);
    return store;
  });
  describeGrantStore('Redis', async (t, options, clock) => {
    const connection = connect(t, server.url);
    const store = new RedisGrantStore(connection, { ...options, allowHttp: false }, clock);
    t.after(() => store.close());
    await emptyServer(connection);
    return store;
  });

  test('are found, renewed and counted by every proxy', async (t) => {
    const [one, other] = [await openStore(t, server.url), await openStore(t, server.url)];
    const before = await other.count();
    const older = makeGrant(100);
    const newer = { ...makeGrant(200), transferTicketId: older.transferTicketId };
    const session = await one.create(older);
    const seen = await other.find(session.id);
    assert.deepEqual(seen?.grant, older);
    assert.equal((await other.findOrCreate(older)).id, session.id);
    assert.equal((await other.renew(session.id, newer))?.id, session.id);
    assert.equal(await other.count(), before + 1);
    // What runs on the first proxy must not be cut at the end of the older grant.
    await eventually(() => session.grant.endsUnixSeconds === newer.endsUnixSeconds || undefined, 'renewed');
  });

  test('are cut on every proxy when they are deleted on one', async (t) => {
    const [one, other] = [await openStore(t, server.url), await openStore(t, server.url)];
    const session = await one.create(makeGrant());
    const cut = Promise.withResolvers<SessionEnd>();
    runFor(session, cut.resolve);
    assert.equal(await other.delete(session.id), true);
    assert.equal(await within(cut.promise, 'the cut'), 'deleted');
    assert.equal(await one.find(session.id), undefined);
    assert.equal(await one.delete(session.id), false);
  });

  test('are one for each ticket, however many proxies it is shown to at once', async (t) => {
    const stores = await Promise.all([1, 2, 3].map(() => openStore(t, server.url)));
    const grant = makeGrant();
    const sessions = await Promise.all(
      [...stores, ...stores].map((store) => store.findOrCreate({ ...grant })),
    );
    assert.equal(new Set(sessions.map(({ id }) => id)).size, 1);
  });

  test('of one transfer ticket are no more than may be, opened at several proxies at once', async (t) => {
    const stores = await Promise.all([1, 2, 3].map(() => openStore(t, server.url)));
    const before = await stores[0]!.count();
    const grant = makeGrant();
    const opened = await Promise.all(
      Array.from({ length: 100 }, (_, index) => stores[index % stores.length]!.create(grant)),
    );
    assert.equal(await stores[0]!.count(), before + storeOptions.sessionsPerTicketMax);
    const found = await Promise.all(opened.map(({ id }) => stores[1]!.find(id)));
    assert.equal(found.filter((session) => session !== undefined).length, storeOptions.sessionsPerTicketMax);
  });

  test('are not ended for newer ones by a proxy while requests run for them at another', async (t) => {
    const watcher = connect(t, server.url);
    await watcher.open();
    const [one, other] = [await openStore(t, server.url), await openStore(t, server.url)];
    const grant = makeGrant();
    const used = await one.create(grant);
    const ends: SessionEnd[] = [];
    runFor(used, (end) => ends.push(end));
    const key = `ovirt-imageio:2:session:id:${sha256(used.id)}`;
    await eventually(
      async () => (await watcher.run((client) => client.hGet(key, 'usedUntil'))) ?? undefined,
      'the use of the session is known to all',
    );
    for (let count = 0; count < 2 * storeOptions.sessionsPerTicketMax; count++) await other.create(grant);
    assert.equal((await other.find(used.id))?.id, used.id);
    assert.deepEqual(ends, []);
  });

  test('expire in Redis by themselves, and what runs for them is cut', async (t) => {
    const connection = connect(t, server.url);
    const store = new RedisSessionStore(connection, storeOptions, systemClock);
    t.after(() => store.close());
    await emptyServer(connection);
    const session = await store.create(makeGrant(2));
    const cut = Promise.withResolvers<SessionEnd>();
    runFor(session, cut.resolve);
    assert.notEqual(await connection.run((client) => client.dbSize()), 0);
    assert.equal(await within(cut.promise, 'the cut'), 'expired');
    await eventually(
      async () => (await connection.run((client) => client.dbSize())) === 0 || undefined,
      'nothing is left in Redis',
    );
  });

  test('show no id in keys, channels and messages', async (t) => {
    const watcher = connect(t, server.url);
    await watcher.open();
    const messages: string[] = [];
    await watcher.run((client) =>
      client.pSubscribe('*', (message, channel) => messages.push(channel, message)),
    );
    const store = await openStore(t, server.url);
    const session = await store.create(makeGrant());
    await store.renew(session.id, { ...session.grant, fingerprint: makeFingerprint() });
    const keys = await watcher.run((client) => client.keys('*'));
    await store.delete(session.id);
    await eventually(() => messages.length >= 4 || undefined, 'both messages');
    assert.ok(keys.length >= 3);
    for (const text of [...keys, ...messages]) {
      assert.match(text, /^(ovirt-imageio:2:|[0-9a-f]{64}$)/);
      assert.ok(!text.includes(session.id));
      assert.ok(!text.includes(session.grant.transferTicketId));
    }
  });
});

describe('what others have written to Redis', { skip }, () => {
  const sessionKey = (id: string): string => `ovirt-imageio:2:session:id:${sha256(id)}`;
  const grantKey = (id: string): string => `ovirt-imageio:2:grant:id:${sha256(id)}`;

  interface Stores {
    readonly connection: RedisConnection;
    readonly sessions: RedisSessionStore;
    readonly grants: RedisGrantStore;
    readonly lines: string[];
  }

  async function open(t: TestContext, url: string): Promise<Stores> {
    const lines: string[] = [];
    const connection = connect(t, url, lines);
    const sessions = new RedisSessionStore(connection, storeOptions, systemClock);
    const grants = new RedisGrantStore(connection, storeOptions, systemClock);
    t.after(() => Promise.all([sessions.close(), grants.close()]));
    await connection.open();
    return { connection, sessions, grants, lines };
  }

  const foreign: readonly [what: string, change: Record<string, unknown>][] = [
    ['without TLS', { imagedUri: 'http://localhost:54322/' }],
    ['of another scheme', { imagedUri: 'file:///etc/passwd' }],
    ['without a host', { imagedUri: 'https://' }],
    ['with a path', { imagedUri: 'https://localhost/admin' }],
    ['of a ticket that is no UUID', { transferTicketId: '../info' }],
    ['that never ends', { endsUnixSeconds: 1e300 }],
    ['without a fingerprint', { fingerprint: undefined }],
  ];
  for (const [what, change] of foreign) {
    test(`counts as absent, and is removed: a grant ${what}`, async (t) => {
      await using server = await RedisServer.start();
      const { connection, sessions, grants, lines } = await open(t, server.url);
      const grant = makeGrant();
      const [session, stored] = [await sessions.create(grant), await grants.put(grant)];
      const ends: SessionEnd[] = [];
      for (const each of [session, stored]) runFor(each, (end) => ends.push(end));
      const text = JSON.stringify({ ...grant, ...change });
      const keys = [sessionKey(session.id), grantKey(grant.transferTicketId)];
      await connection.run((client) => Promise.all(keys.map((key) => client.hSet(key, 'grant', text))));
      assert.equal(await sessions.find(session.id), undefined);
      assert.equal(await grants.find(grant.transferTicketId), undefined);
      assert.equal(await connection.run((client) => client.exists(keys)), 0);
      assert.deepEqual(ends, ['deleted', 'deleted']);
      const warnings = lines.filter((line) => line.includes('no proxy has written'));
      assert.equal(warnings.length, 2, 'one for sessions, one for grants');
      for (const secret of [session.id, grant.transferTicketId]) assert.ok(!lines.join('').includes(secret));
      assert.equal((await sessions.create(grant)).grant, grant);
    });
  }

  test('counts as absent: a grant under the id of another transfer ticket', async (t) => {
    await using server = await RedisServer.start();
    const { connection, grants } = await open(t, server.url);
    const [mine, theirs] = [makeGrant(), makeGrant()];
    await grants.put(theirs);
    await connection.run((client) =>
      client.hSet(grantKey(theirs.transferTicketId), 'grant', JSON.stringify(mine)),
    );
    assert.equal(await grants.find(theirs.transferTicketId), undefined);
  });

  test('gives no signed ticket a session that is not its own', async (t) => {
    await using server = await RedisServer.start();
    const { connection, sessions } = await open(t, server.url);
    const grant = makeGrant();
    const first = await sessions.findOrCreate(grant);
    const key = sessionKey(first.id);
    for (const fields of [
      { id: 'no\r\nid' },
      { id: crypto.randomUUID() },
      { grant: JSON.stringify({ ...grant, transferTicketId: crypto.randomUUID() }) },
      { grant: 'x'.repeat(100_000) },
    ]) {
      await connection.run((client) => client.hSet(key, fields));
      const session = await sessions.findOrCreate(grant);
      assert.notEqual(session.id, first.id);
      assert.equal(session.grant, grant);
      assert.equal(await sessions.delete(session.id), true);
      await sessions.delete(first.id);
      // As a proxy would write it, for the next round.
      await connection.run((client) =>
        client.hSet(key, {
          id: first.id,
          grant: JSON.stringify(grant),
          fingerprint: grant.fingerprint,
          transfer: sha256(grant.transferTicketId),
          ends: String(grant.endsUnixSeconds),
        }),
      );
      await connection.run((client) =>
        client.set(`ovirt-imageio:2:session:ticket:${grant.fingerprint}`, sha256(first.id)),
      );
    }
  });

  test('of another type than is expected neither counts nor is in the way', async (t) => {
    await using server = await RedisServer.start();
    const { connection, sessions, grants } = await open(t, server.url);
    const grant = makeGrant();
    const id = crypto.randomUUID();
    const keys = [sessionKey(id), grantKey(grant.transferTicketId)];
    const ticketKey = `ovirt-imageio:2:session:ticket:${grant.fingerprint}`;
    await connection.run((client) => Promise.all(keys.map((key) => client.set(key, 'text'))));
    await connection.run((client) => client.lPush(ticketKey, 'item'));
    assert.equal(await sessions.renew(id, grant), undefined);
    assert.equal(await sessions.find(id), undefined);
    await grants.put(grant);
    assert.deepEqual((await grants.find(grant.transferTicketId))?.grant, grant);
    const session = await sessions.findOrCreate(grant);
    assert.equal(await sessions.find(session.id), session);
    assert.equal(await sessions.delete(session.id), true);
  });
});

describe('a Redis server that fails', { skip }, () => {
  test('is not needed for the start: requests are refused until it is there', async (t) => {
    await using server = await RedisServer.stopped();
    const lines: string[] = [];
    const connection = connect(t, server.url.replace('//', '//:s3cret@'), lines);
    const store = new RedisSessionStore(connection, storeOptions, systemClock);
    await connection.open();
    assert.equal(connection.isAvailable, false);
    await assert.rejects(store.create(makeGrant()), isUnavailable);
    assert.match(lines.join(''), /"level":40.*The session store is away/);
    assert.ok(!lines.join('').includes('s3cret'));
  });

  test('cuts nothing that runs, and gets back the sessions that its crash lost', async (t) => {
    await using server = await RedisServer.start();
    const [one, other] = [await openStore(t, server.url), await openStore(t, server.url)];
    const session = await one.create(makeGrant());
    const ends: SessionEnd[] = [];
    runFor(session, (end) => ends.push(end));
    const others = [await one.create(makeGrant()), await other.create(makeGrant())];
    await other.find(session.id);
    await server.kill();
    await assert.rejects(one.find(session.id), isUnavailable);
    await assert.rejects(other.delete(session.id), isUnavailable);
    await server.restart();
    const found = await eventually(
      () => other.find(session.id).catch(() => undefined),
      'the other proxy finds the session again',
    );
    assert.deepEqual(found.grant, session.grant);
    await eventually(() => one.count().catch(() => undefined), 'the first proxy is back too');
    for (const { id } of others) assert.equal((await other.find(id))?.id, id);
    assert.equal(await one.count(), 3);
    assert.deepEqual(ends, []);
  });

  test('tells of deletions again after its restart', async (t) => {
    await using server = await RedisServer.start();
    const [one, other] = [await openStore(t, server.url), await openStore(t, server.url)];
    await server.kill();
    await server.restart();
    const session = await eventually(() => one.create(makeGrant()).catch(() => undefined), 'one is back');
    const cut = Promise.withResolvers<SessionEnd>();
    runFor(session, cut.resolve);
    await eventually(() => other.delete(session.id).catch(() => undefined), 'the other is back');
    assert.equal(await within(cut.promise, 'the cut'), 'deleted');
  });

  test('that stalls is answered for within a bound, then at once, and used when it goes on', async (t) => {
    await using server = await RedisServer.start();
    const store = await openStore(t, server.url);
    const session = await store.create(makeGrant());
    server.signal('SIGSTOP');
    t.after(() => {
      server.signal('SIGCONT');
    });
    const stalled = Array.from({ length: 50 }, () => store.find(session.id));
    for (const { status } of await within(Promise.allSettled(stalled), 'refusals', { deadlineMs: 20_000 })) {
      assert.equal(status, 'rejected');
    }
    await assert.rejects(store.find(session.id), isUnavailable);
    server.signal('SIGCONT');
    await eventually(() => store.find(session.id).catch(() => undefined), 'the session is found');
  });

  test('has deletions that a proxy missed heard of when that proxy is connected again', async (t) => {
    await using server = await RedisServer.start();
    const connection = connect(t, server.url);
    const one = new RedisSessionStore(connection, storeOptions, systemClock);
    await connection.open();
    const other = await openStore(t, server.url);
    const session = await one.create(makeGrant());
    const kept = await one.create(makeGrant());
    const cut = Promise.withResolvers<SessionEnd>();
    runFor(session, cut.resolve);
    const keptEnds: SessionEnd[] = [];
    runFor(kept, (end) => keptEnds.push(end));
    // Redis closes the first proxy's connection, and the session goes before it is open again.
    const clientId = await connection.run((client) => client.clientId());
    const killer = connect(t, server.url);
    await killer.open();
    await killer.run(async (client) => {
      await Promise.all([
        client.clientKill({ filter: 'ID', id: clientId }),
        client.sendCommand(['CLIENT', 'PAUSE', '100', 'WRITE']),
      ]);
    });
    await other.delete(session.id);
    assert.equal(await within(cut.promise, 'the cut'), 'deleted');
    assert.equal(
      (await eventually(() => one.find(kept.id).catch(() => undefined), 'it is back')).id,
      kept.id,
    );
    assert.deepEqual(keptEnds, []);
  });

  test('that refuses the password does not get it into the log', async (t) => {
    const lines: string[] = [];
    for (const args of [
      ['--requirepass', 'another'],
      // An old server does not know HELLO and repeats its arguments.
      ['--requirepass', 's3cret', '--rename-command', 'HELLO', ''],
    ]) {
      await using server = await RedisServer.start(args);
      const connection = connect(t, server.url.replace('//', '//:s3cret@'), lines);
      await connection.open();
      assert.equal(connection.isAvailable, false);
      await connection.close();
    }
    assert.match(lines.join(''), /WRONGPASS/);
    assert.match(lines.join(''), /unknown command/);
    assert.ok(!lines.join('').includes('s3cret'));
  });

  test('over TLS is used only when its certificate is right, name included', async (t) => {
    await using folder = await TemporaryFolder.create();
    const pki = await Pki.create(folder.file('pki'));
    const rogue = await Pki.create(folder.file('rogue'));
    const identity = await pki.issueHost('redis', { names: ['localhost'] });
    await using server = await RedisServer.startTls(identity, pki.caFile);
    const url = new URL(server.url.replace('redis:', 'rediss:'));
    const byAddress = connect(t, url.href, [], [pki.caPem]);
    const lines: string[] = [];
    const ofRogue = connect(t, url.href.replace('127.0.0.1', 'localhost'), lines, [rogue.caPem]);
    const right = connect(t, url.href.replace('127.0.0.1', 'localhost'), [], [rogue.caPem, pki.caPem]);
    await Promise.all([byAddress, ofRogue, right].map((connection) => connection.open()));
    assert.deepEqual(
      [byAddress, ofRogue, right].map(({ isAvailable }) => isAvailable),
      [false, false, true],
    );
    assert.match(lines.join(''), /certificate/);
  });

  test('over TLS is used with forward secrecy alone', async (t) => {
    await using folder = await TemporaryFolder.create();
    const pki = await Pki.create(folder.file('pki'));
    const identity = await pki.issueHost('redis', { rsa: true });
    for (const [ciphers, available] of [
      ['AES128-GCM-SHA256:AES256-SHA', false],
      ['ECDHE-RSA-AES128-GCM-SHA256', true],
    ] as const) {
      const only = ['--tls-protocols', 'TLSv1.2', '--tls-ciphers', ciphers];
      await using server = await RedisServer.startTls(identity, pki.caFile, only);
      const connection = connect(t, server.url.replace('redis:', 'rediss:'), [], [pki.caPem]);
      await connection.open();
      assert.equal(connection.isAvailable, available, ciphers);
      await connection.close();
    }
  });

  test('may give the user no more than what docs/proxy.md says', async (t) => {
    const documented = readFileSync(join(projectRoot, 'docs/proxy.md'), 'utf8');
    const rights = [...documented.matchAll(/[+~&][a-z][a-z|:*0-9-]*/g)].map(([right]) => right);
    assert.ok(rights.includes('+evalsha') && rights.includes('~ovirt-imageio:2:*'));
    await using server = await RedisServer.start(['--user', 'imageio', 'on', '>s3cret', ...rights]);
    const connection = connect(t, `${server.url.replace('//', '//imageio:s3cret@')}/1`);
    const store = new RedisSessionStore(connection, storeOptions, systemClock);
    await connection.open();
    const grant = makeGrant();
    const session = await store.findOrCreate(grant);
    await store.renew(session.id, { ...grant, fingerprint: makeFingerprint() });
    assert.equal(await store.find(session.id), session);
    assert.equal(await store.count(), 1);
    assert.equal(await store.delete(session.id), true);
    assert.equal(connection.isAvailable, true);
    await store.close();
  });

  test('takes the user, password and database of the URL', async (t) => {
    await using server = await RedisServer.start(['--requirepass', 'p@ss/word']);
    const url = `${server.url.replace('//', `//default:${encodeURIComponent('p@ss/word')}@`)}/3`;
    const connection = connect(t, url);
    const store = new RedisSessionStore(connection, storeOptions, systemClock);
    await connection.open();
    await store.create(makeGrant());
    const info = await connection.run((client) => client.info('keyspace'));
    assert.match(info, /^db3:keys=4/m);
    assert.doesNotMatch(info, /^db0/m);
    await store.close();
  });
});
