import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { describe, test, type TestContext } from 'node:test';
import { ManualClock, ticketDefinition } from '../../test/support/tickets.js';
import { ConflictError } from '../base/errors.js';
import { MemoryTicketStore } from './memory-ticket.store.js';
import type { TicketEvent } from './ticket-watch.js';

const range = { offsetBytes: 0, lengthBytes: 100 };

class WatchedStore {
  readonly clock = new ManualClock();
  readonly store = new MemoryTicketStore(
    { removeTimeoutSeconds: 0, ticketsMax: 1000, rangesMax: 16 },
    this.clock,
  );
  readonly #events: TicketEvent[] = [];

  /** What was heard since the last look, such as `added id-1`. */
  heard(): string[] {
    return this.#events.splice(0).map(({ kind, id }) => `${kind} ${id}`);
  }

  readonly listener = (event: TicketEvent): void => {
    this.#events.push(event);
  };

  /** Moves timers and clock together. */
  pass(t: TestContext, seconds: number): void {
    this.clock.advance(seconds);
    t.mock.timers.tick(seconds * 1000);
  }
}

describe('watching tickets', () => {
  test('tells those who keep something for tickets which of them are gone, and nothing else', async () => {
    const { store } = new WatchedStore();
    const removed: string[] = [];
    store.onRemoved((id) => removed.push(id));
    await store.add(ticketDefinition());
    await store.add(ticketDefinition({ id: 'id-2' }));
    await store.extend('id-2', 5);
    assert.deepEqual(removed, []);
    await store.add(ticketDefinition());
    await store.remove('id-2');
    assert.deepEqual(removed, ['id-1', 'id-2']);
  });

  test('tells of everything that happens to one, from before it is added until it is removed', async () => {
    const watched = new WatchedStore();
    const { store } = watched;
    const stop = store.watch('id-1', watched.listener);
    await store.add(ticketDefinition());
    await store.add(ticketDefinition({ id: 'id-2' }));
    assert.deepEqual(watched.heard(), ['added id-1']);
    const permit = await store.authorize('id-1', 'write');
    const connection = { close: async () => undefined };
    permit.attach(connection);
    const lease = permit.begin('write', new AbortController(), { changes: range });
    await lease.change(range, async () => undefined);
    assert.deepEqual(watched.heard(), ['changed id-1', 'changed id-1', 'changed id-1']);
    await lease.flush(async () => undefined);
    assert.deepEqual(watched.heard(), ['flushed id-1']);
    await assert.rejects(
      lease.flush(() => Promise.reject(new Error('no'))),
      /^Error: no$/,
    );
    lease.end();
    permit.detach(connection);
    permit.detach(connection);
    assert.deepEqual(watched.heard(), ['changed id-1', 'changed id-1']);
    await store.extend('id-1', 5);
    await store.remove('id-1');
    assert.deepEqual(watched.heard(), ['extended id-1', 'cancelled id-1', 'removed id-1']);
    await store.remove('id-1');
    stop();
    stop();
    await store.add(ticketDefinition());
    assert.deepEqual(watched.heard(), []);
  });

  test('tells of a ticket that cannot be removed yet once, and of its removal', async () => {
    const watched = new WatchedStore();
    const { store } = watched;
    await store.add(ticketDefinition());
    const lease = (await store.authorize('id-1', 'write')).begin('flush', new AbortController());
    store.watch(undefined, watched.listener);
    await assert.rejects(store.remove('id-1'), ConflictError);
    await assert.rejects(store.remove('id-1'), ConflictError);
    assert.deepEqual(watched.heard(), ['cancelled id-1']);
    lease.end();
    await store.remove('id-1');
    assert.deepEqual(watched.heard(), ['changed id-1', 'removed id-1']);
  });

  test('tells that a ticket was replaced', async () => {
    const watched = new WatchedStore();
    const { store } = watched;
    await store.add(ticketDefinition());
    const { stateId } = await store.info('id-1');
    assert.equal((await store.info('id-1')).stateId, stateId);
    store.watch('id-1', watched.listener);
    await store.add(ticketDefinition());
    assert.deepEqual(watched.heard(), ['cancelled id-1', 'removed id-1', 'added id-1']);
    assert.notEqual((await store.info('id-1')).stateId, stateId);
  });

  test('tells when one expires, also if nothing of it runs, and again after it was extended', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const watched = new WatchedStore();
    const { store } = watched;
    await store.add(ticketDefinition({ timeoutSeconds: 10 }));
    store.watch('id-1', watched.listener);
    watched.pass(t, 9);
    assert.deepEqual(watched.heard(), []);
    watched.pass(t, 1);
    assert.deepEqual(watched.heard(), ['expired id-1']);
    // One who comes later is not told of the past.
    store.watch('id-1', watched.listener)();
    watched.pass(t, 100);
    assert.deepEqual(watched.heard(), []);
    await store.extend('id-1', 20);
    watched.pass(t, 20);
    assert.deepEqual(watched.heard(), ['extended id-1', 'expired id-1']);
  });

  test('tells when any of many expires, and when one does that is added later', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const watched = new WatchedStore();
    const { store } = watched;
    const ids = Array.from({ length: 250 }, (_, index) => `id-${index}`);
    for (const id of ids) await store.add(ticketDefinition({ id, timeoutSeconds: 10 }));
    store.watch(undefined, watched.listener);
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    await store.add(ticketDefinition({ id: 'later', timeoutSeconds: 5 }));
    watched.pass(t, 5);
    assert.deepEqual(watched.heard(), ['added later', 'expired later']);
    watched.pass(t, 5);
    assert.deepEqual(watched.heard().sort(), ids.map((id) => `expired ${id}`).sort());
  });

  test('is not an activity of the ticket', async () => {
    const watched = new WatchedStore();
    const { store, clock } = watched;
    await store.add(ticketDefinition());
    const before = await store.info('id-1');
    clock.advance(20);
    store.watch('id-1', watched.listener);
    const { expiresSeconds, idleSeconds, active, stateId } = await store.info('id-1');
    assert.deepEqual(
      { expiresSeconds, idleSeconds, active, stateId },
      { expiresSeconds: before.expiresSeconds, idleSeconds: 20, active: false, stateId: before.stateId },
    );
  });

  test('names each state differently, and counts what was moved twice', async () => {
    const { store } = new WatchedStore();
    await store.add(ticketDefinition());
    const lease = (await store.authorize('id-1', 'write')).begin('write', new AbortController());
    const states = new Set([(await store.info('id-1')).stateId]);
    for (let count = 0; count < 2; count++) {
      lease.progressed(range);
      states.add((await store.info('id-1')).stateId);
    }
    assert.equal(states.size, 3);
    const { movedBytes, transferredBytes } = await store.info('id-1');
    assert.deepEqual({ movedBytes, transferredBytes }, { movedBytes: 200, transferredBytes: 100 });
  });
});
