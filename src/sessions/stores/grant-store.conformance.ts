import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { OpenStore } from './session-store.conformance.js';
import type { SessionEnd } from '../session.js';
import type { GrantStore } from './grant.store.js';
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

const clockStart = fixedUnixSeconds;

function makeGrant(expiresInSeconds = 3600, ticketId = exampleTicketId): Grant {
  const payload = { exp: clockStart + expiresInSeconds, 'transfer-ticket': ticketId };
  return makeVerifier().verify(makeTicket({ payload }));
}

/** What every grant store does alike, wherever it keeps grants. */
export function describeGrantStore(
  name: string,
  openStore: OpenStore<GrantStore>,
  skip: string | false = false,
): void {
  const open = async (
    t: TestContext,
    sessionsMax = 100,
  ): Promise<{ store: GrantStore; clock: FakeClock }> => {
    const clock = new FakeClock(clockStart);
    return {
      store: await openStore(t, { sessionsMax, sessionsPerTicketMax: 8, sweepIntervalSeconds: 1 }, clock),
      clock,
    };
  };

  describe(`${name} as a grant store`, { skip }, () => {
    test('stores a grant under its transfer ticket until it ends', async (t) => {
      const { store, clock } = await open(t);
      const stored = await store.put(makeGrant(10));
      assert.equal(await store.find(exampleTicketId), stored);
      assert.equal(await store.find(crypto.randomUUID()), undefined);
      clock.nowUnixSeconds = clockStart + 10;
      assert.equal(await store.find(exampleTicketId), undefined);
    });

    test('renews the grant of the same transfer ticket, and what runs goes on', async (t) => {
      const { store, clock } = await open(t);
      const stored = await store.put(makeGrant(10));
      const ends: SessionEnd[] = [];
      runFor(stored, (end) => ends.push(end));
      await store.put(makeGrant(20));
      assert.equal(await store.count(), 1);
      clock.nowUnixSeconds = clockStart + 10;
      assert.equal(await store.find(exampleTicketId), stored);
      assert.deepEqual(ends, []);
    });

    test('cancels what runs for a grant that is deleted', async (t) => {
      const { store } = await open(t);
      const ends: SessionEnd[] = [];
      runFor(await store.put(makeGrant()), (end) => ends.push(end));
      assert.equal(await store.delete(exampleTicketId), true);
      assert.equal(await store.delete(exampleTicketId), false);
      assert.deepEqual(ends, ['deleted']);
    });

    test('refuses more grants than its limit, but renews at it', async (t) => {
      const { store } = await open(t, 1);
      await store.put(makeGrant());
      await store.put(makeGrant());
      await assert.rejects(store.put(makeGrant(3600, crypto.randomUUID())), UnavailableError);
    });
  });
}
