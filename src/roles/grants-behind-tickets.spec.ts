import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { GrantsBehindTickets } from './grants-behind-tickets.js';
import { systemClock } from '../base/clock.js';
import { UnavailableError } from '../base/errors.js';
import { MemoryGrantStore } from '../sessions/stores/memory-grant.store.js';
import { MemoryTicketStore } from '../tickets/memory-ticket.store.js';
import { exampleTicketId, makeTicket, makeVerifier } from '../../test/support/signed-tickets.js';

/** A store of which the lookups fail, as they do without its server. */
class AwayGrantStore extends MemoryGrantStore {
  override find(): Promise<never> {
    return Promise.reject(new UnavailableError('away'));
  }
}

async function makeTickets(id: string): Promise<MemoryTicketStore> {
  const tickets = new MemoryTicketStore(
    { removeTimeoutSeconds: 0, ticketsMax: 10, rangesMax: 16 },
    systemClock,
  );
  await tickets.add({
    id,
    url: 'https://localhost/images/a',
    size: 1n,
    ops: ['read'],
    transferId: 'transfer',
    timeoutSeconds: 60,
    inactivityTimeoutSeconds: 60,
    sparse: false,
    dirty: false,
  });
  return tickets;
}

function makeGrants(t: TestContext, Store: typeof MemoryGrantStore): MemoryGrantStore {
  const grants = new Store({ sessionsMax: 10, sweepIntervalSeconds: 1 }, systemClock);
  t.after(() => grants.close());
  return grants;
}

test('finds nothing for a control ticket while the store of grants is away', async (t) => {
  const grants = new GrantsBehindTickets(makeGrants(t, AwayGrantStore), await makeTickets('a'));
  assert.equal(await grants.find('a'), undefined);
});

test('says that grants are unavailable where there is no control ticket', async (t) => {
  const grants = new GrantsBehindTickets(makeGrants(t, AwayGrantStore), await makeTickets('a'));
  await assert.rejects(grants.find('b'), UnavailableError);
});

test('finds a stored grant before a control ticket of the same id', async (t) => {
  const store = makeGrants(t, MemoryGrantStore);
  const grants = new GrantsBehindTickets(store, await makeTickets(exampleTicketId));
  const stored = await store.put({
    ...makeVerifier().verify(makeTicket()),
    endsUnixSeconds: Date.now() / 1000 + 60,
  });
  assert.equal(await grants.find(exampleTicketId), stored);
});
