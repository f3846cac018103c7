import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemorySessionStore } from './memory-session.store.js';
import { describeSessionStore } from './session-store.conformance.js';
import { FakeClock, makeTicket, makeVerifier } from '../../../test/support/signed-tickets.js';

describeSessionStore('memory', async (t, options, clock) => {
  const store = new MemorySessionStore(options, clock);
  t.after(() => store.close());
  return store;
});

test('a closed memory store holds nothing any more', async () => {
  const store = new MemorySessionStore(
    { sessionsMax: 1, sessionsPerTicketMax: 8, sweepIntervalSeconds: 1 },
    new FakeClock(),
  );
  await store.create(makeVerifier().verify(makeTicket()));
  await store.close();
  assert.equal(await store.count(), 0);
});
