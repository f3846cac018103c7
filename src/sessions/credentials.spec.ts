import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Credentials } from './credentials.js';
import { MemoryGrantStore } from './stores/memory-grant.store.js';
import { MemorySessionStore } from './stores/memory-session.store.js';
import { InvalidRequestError, NotAllowedError, UnauthenticatedError } from '../base/errors.js';
import {
  exampleTicketId as ticketId,
  FakeClock,
  fixedUnixSeconds,
  makeTicket,
  makeVerifier,
} from '../../test/support/signed-tickets.js';

const otherTicketId = 'c0a8f8c2-52a5-4c0c-8c71-0c1f0a1f7c02';

interface Setup {
  readonly credentials: Credentials;
  readonly sessions: MemorySessionStore;
  readonly grants: MemoryGrantStore;
  readonly clock: FakeClock;
}

function setUp(t: TestContext): Setup {
  const clock = new FakeClock();
  const options = { sessionsMax: 10, sessionsPerTicketMax: 8, sweepIntervalSeconds: 1 };
  const sessions = new MemorySessionStore(options, clock);
  const grants = new MemoryGrantStore(options, clock);
  t.after(async () => {
    await sessions.close();
    await grants.close();
  });
  return { credentials: new Credentials(makeVerifier({ clock }), sessions, grants), sessions, grants, clock };
}

const mismatch = new InvalidRequestError('Requested resource must match transfer ticket');

test('opens one session for a signed ticket that comes with every request', async (t) => {
  const { credentials, sessions } = setUp(t);
  const authorization = makeTicket();
  const first = await credentials.authorize({ authorization, ticketId });
  const second = await credentials.authorize({ authorization, ticketId });
  assert.equal(first.session, second.session);
  assert.equal(first.sessionId, first.session.id);
  assert.equal(await sessions.find(first.session.id), first.session);
  assert.equal(await sessions.count(), 1);
});

test('opens a new session for a signed ticket shown again after its session was deleted', async (t) => {
  const { credentials, sessions } = setUp(t);
  const authorization = makeTicket();
  const first = await credentials.authorize({ authorization, ticketId });
  await sessions.delete(first.session.id);
  const second = await credentials.authorize({ authorization, ticketId });
  assert.notEqual(second.sessionId, first.sessionId);
});

test('renews the session that is shown with a newer signed ticket', async (t) => {
  const { credentials, sessions } = setUp(t);
  const { session } = await credentials.authorize({ authorization: makeTicket(), ticketId });
  const authorization = makeTicket({ payload: { exp: fixedUnixSeconds + 7200 } });
  const renewed = await credentials.authorize({ authorization, sessionIdHeader: session.id, ticketId });
  assert.equal(renewed.session, session);
  assert.equal(session.grant.expiresUnixSeconds, fixedUnixSeconds + 7200);
  assert.equal(await sessions.count(), 1);
});

for (const [where, shown] of [
  ['header', (id: string) => ({ sessionIdHeader: id })],
  ['query', (id: string) => ({ sessionIdQuery: id })],
  ['header and the query', (id: string) => ({ sessionIdHeader: id, sessionIdQuery: id })],
] as const) {
  test(`leaves a session of another transfer ticket alone whose id is in the ${where}`, async (t) => {
    const { credentials, sessions } = setUp(t);
    const victim = (await credentials.authorize({ authorization: makeTicket(), ticketId })).session;
    const { grant } = victim;
    const authorization = makeTicket({ payload: { 'transfer-ticket': otherTicketId } });
    const opened = [
      (await credentials.authorize({ authorization, ...shown(victim.id), ticketId: otherTicketId })).session,
      await credentials.openSession({ authorization, ...shown(victim.id) }),
    ];
    for (const session of opened) {
      assert.notEqual(session.id, victim.id);
      assert.equal(session.grant.transferTicketId, otherTicketId);
    }
    assert.equal(await sessions.find(victim.id), victim);
    assert.equal(victim.grant, grant);
  });
}

test('renews no session whose id is in the query, even of the same transfer ticket', async (t) => {
  const { credentials } = setUp(t);
  const { session } = await credentials.authorize({ authorization: makeTicket(), ticketId });
  const { grant } = session;
  const authorization = makeTicket({ payload: { exp: fixedUnixSeconds + 7200 } });
  const shown = { authorization, sessionIdQuery: session.id };
  assert.notEqual((await credentials.authorize({ ...shown, ticketId })).sessionId, session.id);
  assert.notEqual((await credentials.openSession(shown)).id, session.id);
  assert.equal(session.grant, grant);
});

test('opens a session when the one that is shown with a signed ticket is unknown', async (t) => {
  const { credentials } = setUp(t);
  const sessionIdHeader = crypto.randomUUID();
  const { sessionId } = await credentials.authorize({
    authorization: makeTicket(),
    sessionIdHeader,
    ticketId,
  });
  assert.notEqual(sessionId, sessionIdHeader);
});

test('takes the session id from the header or from the query, the header first', async (t) => {
  const { credentials, sessions } = setUp(t);
  const mine = await sessions.create(makeVerifier().verify(makeTicket()));
  const other = await sessions.create(
    makeVerifier().verify(makeTicket({ payload: { 'transfer-ticket': otherTicketId } })),
  );
  const expected = { session: mine, sessionId: mine.id };
  assert.deepEqual(await credentials.authorize({ sessionIdHeader: mine.id, ticketId }), expected);
  assert.deepEqual(await credentials.authorize({ sessionIdQuery: mine.id, ticketId }), expected);
  assert.deepEqual(
    await credentials.authorize({ sessionIdHeader: mine.id, sessionIdQuery: other.id, ticketId }),
    expected,
  );
});

test('takes a stored grant when nothing is shown, and tells no session id then', async (t) => {
  const { credentials, grants } = setUp(t);
  const stored = await grants.put(makeVerifier().verify(makeTicket()));
  assert.deepEqual(await credentials.authorize({ ticketId }), { session: stored });
  assert.deepEqual(await credentials.authorize({ authorization: '', sessionIdHeader: '', ticketId }), {
    session: stored,
  });
});

test('falls back to a stored grant when the session that is shown is over', async (t) => {
  const { credentials, grants } = setUp(t);
  const stored = await grants.put(makeVerifier().verify(makeTicket()));
  assert.deepEqual(await credentials.authorize({ sessionIdHeader: 'gone', ticketId }), { session: stored });
});

test('refuses a signed ticket or session for another transfer ticket, and opens nothing', async (t) => {
  const { credentials, sessions, grants } = setUp(t);
  await assert.rejects(
    credentials.authorize({ authorization: makeTicket(), ticketId: otherTicketId }),
    mismatch,
  );
  assert.equal(await sessions.count(), 0);
  const session = await sessions.create(makeVerifier().verify(makeTicket()));
  await grants.put(makeVerifier().verify(makeTicket({ payload: { 'transfer-ticket': otherTicketId } })));
  const shown = { sessionIdHeader: session.id, ticketId: otherTicketId };
  await assert.rejects(credentials.authorize(shown), mismatch);
  await assert.rejects(
    credentials.authorize({ sessionIdHeader: session.id, ticketId: ticketId.toUpperCase() }),
    mismatch,
  );
});

test('refuses with 401 when nothing is shown', async (t) => {
  const { credentials } = setUp(t);
  await assert.rejects(credentials.authorize({ ticketId }), UnauthenticatedError);
  assert.equal(await credentials.find({ ticketId }), undefined);
});

test('refuses with 401 a signed ticket that is not valid, even beside a session or a grant', async (t) => {
  const { credentials, sessions, grants } = setUp(t);
  const grant = makeVerifier().verify(makeTicket());
  const session = await sessions.create(grant);
  await grants.put(grant);
  const authorization = makeTicket({ key: 'ca.key' });
  const shown = { authorization, sessionIdHeader: session.id, ticketId };
  await assert.rejects(credentials.authorize(shown), UnauthenticatedError);
  await assert.rejects(credentials.find(shown), UnauthenticatedError);
});

test('refuses with 403 a session that is unknown, deleted or expired', async (t) => {
  const { credentials, sessions, clock } = setUp(t);
  const grant = makeVerifier().verify(makeTicket());
  const [deleted, expired] = [await sessions.create(grant), await sessions.create(grant)];
  await sessions.delete(deleted.id);
  clock.nowUnixSeconds = grant.expiresUnixSeconds;
  for (const id of [crypto.randomUUID(), deleted.id, expired.id]) {
    await assert.rejects(credentials.authorize({ sessionIdHeader: id, ticketId }), NotAllowedError);
    await assert.rejects(credentials.authorize({ sessionIdQuery: id, ticketId }), NotAllowedError);
    assert.equal(await credentials.find({ sessionIdHeader: id, ticketId }), undefined);
  }
});

test('does not keep a session alive by a signed ticket that has expired', async (t) => {
  const { credentials, clock } = setUp(t);
  const authorization = makeTicket();
  const { session } = await credentials.authorize({ authorization, ticketId });
  clock.nowUnixSeconds = session.grant.expiresUnixSeconds;
  await assert.rejects(credentials.authorize({ authorization, ticketId }), UnauthenticatedError);
});
