import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock, ticketDefinition } from '../../test/support/tickets.js';
import { ConflictError, NotAllowedError, NotFoundError, UnavailableError } from '../base/errors.js';
import { MemoryTicketStore } from './memory-ticket.store.js';
import type { TicketLease } from './ticket-lease.js';
import type { TicketInfo } from './ticket.js';

async function all(store: MemoryTicketStore): Promise<TicketInfo[]> {
  const tickets: TicketInfo[] = [];
  for await (const part of store.list()) tickets.push(...part);
  return tickets;
}

function makeStore({ removeTimeoutSeconds = 60, ticketsMax = 10 } = {}): MemoryTicketStore {
  return new MemoryTicketStore({ removeTimeoutSeconds, ticketsMax, rangesMax: 16 }, new ManualClock());
}

/** Begins an operation that nobody else stops. */
async function begin(store: MemoryTicketStore, kind: 'read' | 'write', id = 'id-1'): Promise<TicketLease> {
  return (await store.authorize(id, kind)).begin(kind, new AbortController());
}

describe('the ticket store', () => {
  test('knows tickets by any id', async () => {
    const store = makeStore();
    for (const id of ['__proto__', 'constructor', 'a/b', 'x'.repeat(10_000)]) {
      await assert.rejects(store.info(id), NotFoundError);
      await assert.rejects(store.authorize(id, 'read'), NotAllowedError);
      await store.add(ticketDefinition({ id }));
      assert.equal((await store.info(id)).id, id);
      assert.equal((await store.authorize(id, 'write')).definition.id, id);
    }
    assert.equal((await all(store)).length, 4);
  });

  test('replaces an idle ticket and closes what had the old image open', async () => {
    const store = makeStore();
    await store.add(ticketDefinition());
    const old = await store.authorize('id-1', 'read');
    let closed = 0;
    old.attach({
      close: async () => {
        closed++;
      },
    });
    await store.add(ticketDefinition({ size: 5n }));
    assert.equal(closed, 1);
    assert.throws(() => old.begin('read', new AbortController()), /Ticket was canceled$/);
    assert.equal((await store.info('id-1')).size, 5n);
  });

  test('does not replace a ticket that is in use', async () => {
    const store = makeStore();
    await store.add(ticketDefinition());
    const lease = await begin(store, 'write');
    await assert.rejects(store.add(ticketDefinition({ size: 5n })), ConflictError);
    lease.end();
    await store.add(ticketDefinition({ size: 5n }));
    assert.equal(lease.signal.aborted, false);
  });

  test('refuses more tickets than its limit, but replaces and adds again after a removal', async () => {
    const store = makeStore({ ticketsMax: 1 });
    await store.add(ticketDefinition());
    await assert.rejects(store.add(ticketDefinition({ id: 'id-2' })), UnavailableError);
    await store.add(ticketDefinition({ size: 5n }));
    await store.remove('id-1');
    await store.add(ticketDefinition({ id: 'id-2' }));
  });

  test('extends tickets that exist', async () => {
    const store = makeStore();
    await store.add(ticketDefinition());
    await store.extend('id-1', 7);
    assert.equal((await store.info('id-1')).expiresSeconds, 1007);
    await assert.rejects(store.extend('id-2', 7), NotFoundError);
  });
});

describe('removing from the ticket store', () => {
  test('waits for the operations that run', async () => {
    const store = makeStore();
    await store.add(ticketDefinition());
    const lease = await begin(store, 'write');
    let removed = false;
    const removal = store.remove('id-1').then(() => {
      removed = true;
    });
    assert.equal(lease.signal.aborted, true);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(removed, false);
    assert.equal((await store.info('id-1')).canceled, true);
    lease.end();
    await removal;
    await assert.rejects(store.info('id-1'), NotFoundError);
  });

  test('gives up after its timeout, names the transfer and keeps the ticket, cancelled', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const store = makeStore({ removeTimeoutSeconds: 60 });
    await store.add(ticketDefinition());
    const lease = await begin(store, 'write');
    const removal = assert.rejects(store.remove('id-1'), (error: unknown) => {
      assert.ok(error instanceof ConflictError);
      assert.equal(error.message, 'Timeout cancelling transfer transfer-1');
      return true;
    });
    t.mock.timers.tick(60_000);
    await removal;
    assert.deepEqual([(await store.info('id-1')).canceled, (await store.info('id-1')).active], [true, true]);
    lease.end();
    await store.remove('id-1');
    assert.deepEqual(await all(store), []);
  });

  test('does not wait with a timeout of 0 while operations run', async () => {
    const store = makeStore({ removeTimeoutSeconds: 0 });
    await store.add(ticketDefinition());
    const lease = await begin(store, 'write');
    await assert.rejects(store.remove('id-1'), ConflictError);
    lease.end();
    await store.remove('id-1');
    await assert.rejects(store.info('id-1'), NotFoundError);
  });

  test('of an id that does not exist is fine', async () => {
    await makeStore().remove('nothing');
  });

  test('leaves a ticket alone that took the id meanwhile', async () => {
    const store = makeStore();
    await store.add(ticketDefinition());
    const old = await store.authorize('id-1', 'read');
    const { promise: closed, resolve: close } = Promise.withResolvers<undefined>();
    old.attach({ close: () => closed });
    const first = store.remove('id-1');
    const replaced = store.add(ticketDefinition({ size: 5n }));
    await new Promise((resolve) => setImmediate(resolve));
    close(undefined);
    await Promise.all([first, replaced]);
    assert.equal((await store.info('id-1')).size, 5n);
  });

  test('of all tickets removes those that can be and reports one that cannot', async () => {
    const store = makeStore({ removeTimeoutSeconds: 0 });
    for (const id of ['a', 'b', 'c']) await store.add(ticketDefinition({ id, transferId: `transfer ${id}` }));
    const lease = await begin(store, 'read', 'b');
    await assert.rejects(store.removeAll(), /^ConflictError: Timeout cancelling transfer transfer b$/);
    assert.deepEqual(
      (await all(store)).map(({ id }) => id),
      ['b'],
    );
    lease.end();
    await store.removeAll();
    assert.deepEqual(await all(store), []);
  });

  test('of many tickets lets others have their turn meanwhile, and so does a list of them', async () => {
    const store = makeStore({ ticketsMax: 1000 });
    const ids = Array.from({ length: 1000 }, (_, index) => `id-${index}`);
    for (const id of ids) await store.add(ticketDefinition({ id }));
    let turns = 0;
    const turn = (): void => {
      turns++;
      immediate = setImmediate(turn);
    };
    let immediate = setImmediate(turn);
    assert.deepEqual(
      (await all(store)).map(({ id }) => id),
      ids,
    );
    assert.ok(turns >= 9, `${turns} turns`);
    turns = 0;
    await store.removeAll();
    assert.ok(turns >= 9, `${turns} turns`);
    clearImmediate(immediate);
    assert.deepEqual(await all(store), []);
  });
});
