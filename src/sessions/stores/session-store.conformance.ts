import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { SessionEnd } from '../session.js';
import type { SessionStore, SessionStoreOptions } from './session.store.js';
import type { Grant } from '../grant.js';
import { UnavailableError } from '../../base/errors.js';
import { runFor } from '../../../test/support/session-leases.js';
import {
  exampleTicketId,
  FakeClock,
  fixedUnixSeconds,
  makeTicket,
  makeVerifier,
} from '../../../test/support/signed-tickets.js';
import { eventually } from '../../../test/support/deadline.js';

const clockStart = fixedUnixSeconds;
const sweepIntervalSeconds = 1;
const sessionsPerTicketMax = 3;

/** Opens an empty store, to be closed with the test. */
export type OpenStore<Store> = (
  t: TestContext,
  options: SessionStoreOptions,
  clock: FakeClock,
) => Promise<Store>;

function makeGrant(expiresInSeconds = 3600, transferTicketId = exampleTicketId): Grant {
  const payload = { exp: clockStart + expiresInSeconds, 'transfer-ticket': transferTicketId };
  return makeVerifier().verify(makeTicket({ payload }));
}

/** What every session store does alike, wherever it keeps sessions. */
export function describeSessionStore(
  name: string,
  openStore: OpenStore<SessionStore>,
  skip: string | false = false,
): void {
  const open = async (
    t: TestContext,
    sessionsMax = 100,
  ): Promise<{ store: SessionStore; clock: FakeClock }> => {
    const clock = new FakeClock(clockStart);
    return {
      store: await openStore(t, { sessionsMax, sessionsPerTicketMax, sweepIntervalSeconds }, clock),
      clock,
    };
  };

  describe(`${name} as a session store`, { skip }, () => {
    test('opens a session of its own for each create', async (t) => {
      const { store } = await open(t);
      const grant = makeGrant();
      const first = await store.create(grant);
      const second = await store.create(grant);
      assert.match(first.id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      assert.notEqual(first.id, second.id);
      assert.equal(await store.find(first.id), first);
      assert.deepEqual(first.grant, grant);
      assert.equal(await store.count(), 2);
    });

    test('finds nothing under ids that it did not give', async (t) => {
      const { store } = await open(t);
      await store.create(makeGrant());
      for (const id of ['', '__proto__', 'constructor', '*', crypto.randomUUID()]) {
        assert.equal(await store.find(id), undefined);
        assert.equal(await store.renew(id, makeGrant()), undefined);
        assert.equal(await store.delete(id), false);
      }
      assert.equal(await store.count(), 1);
    });

    test('gives the same session to the same ticket and another to another', async (t) => {
      const { store } = await open(t);
      const grant = makeGrant();
      const [first, again, other] = await Promise.all([
        store.findOrCreate(grant),
        store.findOrCreate({ ...grant }),
        store.findOrCreate(makeGrant()),
      ]);
      assert.equal(first, again);
      assert.notEqual(first, other);
      assert.equal(await store.count(), 2);
    });

    test('gives the ticket a session that create opened or renew went on with', async (t) => {
      const { store } = await open(t);
      const [older, newer] = [makeGrant(), makeGrant()];
      const session = await store.create(older);
      assert.equal(await store.findOrCreate(older), session);
      assert.equal(await store.renew(session.id, newer), session);
      assert.deepEqual(session.grant, newer);
      assert.equal(await store.findOrCreate(newer), session);
      assert.notEqual(await store.findOrCreate(older), session);
    });

    test('does not renew a session with the ticket of another transfer', async (t) => {
      const { store } = await open(t);
      const grant = makeGrant();
      const session = await store.create(grant);
      const ends: SessionEnd[] = [];
      runFor(session, (end) => ends.push(end));
      const foreign = makeGrant(7200, crypto.randomUUID());
      assert.equal(await store.renew(session.id, foreign), undefined);
      assert.equal(await store.find(session.id), session);
      assert.deepEqual(session.grant, grant);
      assert.equal(await store.findOrCreate(grant), session);
      assert.notEqual(await store.findOrCreate(foreign), session);
      assert.deepEqual(ends, []);
    });

    test('opens a new session for a ticket whose session was deleted', async (t) => {
      // The ticket stays good until it expires, and clients open another session after a pause.
      const { store } = await open(t);
      const grant = makeGrant();
      const deleted = await store.findOrCreate(grant);
      assert.equal(await store.delete(deleted.id), true);
      const reopened = await store.findOrCreate(grant);
      assert.notEqual(reopened.id, deleted.id);
      assert.equal(await store.find(deleted.id), undefined);
    });

    test('keeps the younger of two sessions for the ticket when the older is deleted', async (t) => {
      const { store } = await open(t);
      const grant = makeGrant();
      const older = await store.create(grant);
      const younger = await store.create(grant);
      await store.delete(older.id);
      assert.equal(await store.findOrCreate(grant), younger);
    });

    test('cancels running requests of a session that is deleted, and no others', async (t) => {
      const { store } = await open(t);
      const ends: [string, SessionEnd][] = [];
      const [first, second] = [await store.create(makeGrant()), await store.create(makeGrant())];
      runFor(first, (end) => ends.push(['first', end]));
      runFor(second, (end) => ends.push(['second', end]));
      assert.equal(await store.delete(first.id), true);
      assert.deepEqual(ends, [['first', 'deleted']]);
      assert.equal(await store.delete(first.id), false);
    });

    test('finds a session until its grant ends, and cancels what runs when it is found dead', async (t) => {
      const { store, clock } = await open(t);
      const session = await store.create(makeGrant(10));
      const ends: SessionEnd[] = [];
      runFor(session, (end) => ends.push(end));
      clock.nowUnixSeconds = clockStart + 9;
      assert.equal(await store.find(session.id), session);
      clock.nowUnixSeconds = clockStart + 10;
      assert.equal(await store.find(session.id), undefined);
      assert.equal(await store.delete(session.id), false);
      assert.deepEqual(ends, ['expired']);
    });

    test('sweeps expired sessions without being asked, and leaves the renewed', async (t) => {
      t.mock.timers.enable({ apis: ['setInterval'] });
      const { store, clock } = await open(t);
      const [expired, renewed] = [await store.create(makeGrant(10)), await store.create(makeGrant(10))];
      await store.renew(renewed.id, makeGrant(20));
      const ends: [string, SessionEnd][] = [];
      runFor(expired, (end) => ends.push(['expired', end]));
      runFor(renewed, (end) => ends.push(['renewed', end]));
      clock.nowUnixSeconds = clockStart + 10;
      assert.deepEqual(ends, []);
      t.mock.timers.tick(sweepIntervalSeconds * 1000);
      assert.deepEqual(ends, [['expired', 'expired']]);
      assert.equal(await store.count(), 1);
    });

    test('refuses to renew a session that has expired', async (t) => {
      const { store, clock } = await open(t);
      const session = await store.create(makeGrant(10));
      clock.nowUnixSeconds = clockStart + 10;
      assert.equal(await store.renew(session.id, makeGrant(20)), undefined);
    });

    test('does not give a ticket its session back that has expired', async (t) => {
      const { store, clock } = await open(t);
      const grant = makeGrant(10);
      const session = await store.create(grant);
      clock.nowUnixSeconds = clockStart + 10;
      assert.notEqual(
        (await store.findOrCreate({ ...grant, endsUnixSeconds: clockStart + 20 })).id,
        session.id,
      );
    });

    test('refuses more sessions than its limit until one is deleted or expires', async (t) => {
      const { store, clock } = await open(t, 2);
      const first = await store.create(makeGrant());
      const second = await store.create(makeGrant(10));
      const refused = (error: unknown): boolean =>
        error instanceof UnavailableError && /limit of 2/.test(error.message);
      await assert.rejects(store.create(makeGrant()), refused);
      await assert.rejects(store.findOrCreate(makeGrant()), refused);
      assert.equal(await store.findOrCreate(first.grant), first);
      await store.delete(first.id);
      await store.create(makeGrant());
      await assert.rejects(store.create(makeGrant()), refused);
      clock.nowUnixSeconds = clockStart + 10;
      await store.create(makeGrant());
      assert.equal(await store.find(second.id), undefined);
    });

    test('ends the oldest session of a transfer ticket that opens too many, whichever way', async (t) => {
      const { store } = await open(t);
      const [first, second] = [await store.create(makeGrant()), await store.findOrCreate(makeGrant())];
      await store.renew(first.id, makeGrant(7200));
      await store.create(makeGrant());
      const fourth = await store.findOrCreate(makeGrant());
      assert.equal(await store.find(first.id), undefined);
      const fifth = await store.create(fourth.grant);
      assert.equal(await store.find(second.id), undefined);
      assert.equal(await store.find(fourth.id), fourth);
      assert.equal(await store.find(fifth.id), fifth);
      assert.equal(await store.count(), sessionsPerTicketMax);
    });

    test('has room for others, however many sessions one transfer ticket opens at once', async (t) => {
      const { store } = await open(t, 20);
      const others = await store.create(makeGrant(3600, crypto.randomUUID()));
      const grant = makeGrant();
      const opened = await Promise.all(Array.from({ length: 500 }, () => store.create(grant)));
      assert.equal(new Set(opened.map(({ id }) => id)).size, 500);
      assert.equal(await store.count(), sessionsPerTicketMax + 1);
      const last = await store.create(makeGrant(3600, crypto.randomUUID()));
      for (const session of [others, last]) assert.equal(await store.find(session.id), session);
      assert.equal((await store.findOrCreate(grant)).id, opened.at(-1)?.id);
    });

    test('ends sessions that no request runs for before the others, those opened first', async (t) => {
      const { store } = await open(t);
      const sessions = [await store.create(makeGrant()), await store.create(makeGrant())];
      const [oldest, idle] = sessions;
      const ends: SessionEnd[] = [];
      const lease = runFor(oldest!, (end) => ends.push(end));
      const third = await store.create(makeGrant());
      const fourth = await store.create(makeGrant());
      assert.equal(await store.find(idle!.id), undefined);
      assert.equal(await store.find(oldest!.id), oldest);
      for (const session of [third, fourth]) runFor(session);
      await store.create(makeGrant());
      assert.equal(await store.find(oldest!.id), undefined, 'all are in use');
      await eventually(() => ends.length > 0 || undefined, 'what runs for it is cut');
      assert.deepEqual(ends, ['deleted']);
      lease.end();
      assert.equal(await store.find(third.id), third);
      // The fifth is idle, and goes although the third and fourth are older.
      await store.create(makeGrant());
      for (const session of [third, fourth]) assert.equal(await store.find(session.id), session);
    });

    test('counts no session of a transfer ticket that has expired or was deleted', async (t) => {
      const { store, clock } = await open(t);
      const lasting = await store.create(makeGrant());
      await store.create(makeGrant(10));
      clock.nowUnixSeconds = clockStart + 10;
      const deleted = await store.create(makeGrant());
      await store.delete(deleted.id);
      const opened = [await store.create(makeGrant()), await store.create(makeGrant())];
      for (const session of [lasting, ...opened]) assert.equal(await store.find(session.id), session);
    });

    test('ends no session of a transfer ticket when the new one is refused', async (t) => {
      const { store } = await open(t, sessionsPerTicketMax);
      const mine = await store.create(makeGrant());
      for (const id of [crypto.randomUUID(), crypto.randomUUID()]) await store.create(makeGrant(3600, id));
      await assert.rejects(store.create(makeGrant()), UnavailableError);
      assert.equal(await store.find(mine.id), mine);
    });

    test('a refused ticket is not taken for known later', async (t) => {
      const { store } = await open(t, 1);
      const first = await store.create(makeGrant());
      const grant = makeGrant();
      await assert.rejects(store.findOrCreate(grant), UnavailableError);
      await store.delete(first.id);
      const session = await store.findOrCreate(grant);
      assert.equal(await store.find(session.id), session);
    });

    test('ends every session when it closes', async (t) => {
      const { store } = await open(t);
      const session = await store.create(makeGrant());
      const ends: SessionEnd[] = [];
      runFor(session, (end) => ends.push(end));
      await store.close();
      await store.close();
      assert.deepEqual(ends, ['closed']);
    });
  });
}
