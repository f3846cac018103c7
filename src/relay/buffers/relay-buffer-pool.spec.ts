import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UnavailableError } from '../../base/errors.js';
import { KiB, MiB } from '../../base/units.js';
import type { BufferLoan } from './buffer-loan.js';
import { RelayBufferPool } from './relay-buffer-pool.js';

const ended = new AbortController();
/** Aborts nothing while the tests run; what still waits after them is let go. */
const never = ended.signal;
after(() => {
  ended.abort(new Error('The tests have ended'));
});
const smallBytes = 256 * KiB;

/** Too small for large buffers: it says how many small ones there are, and how many one ticket may have. */
function poolOf({ total, perTicket }: { total: number; perTicket: number }): RelayBufferPool {
  return new RelayBufferPool({
    totalBytes: total * smallBytes,
    perTicketBytes: perTicket * smallBytes,
    waitSeconds: 10,
    stallSeconds: 5,
  });
}

function tightPool(): RelayBufferPool {
  return poolOf({ total: 4, perTicket: 2 });
}

/** Lends all buffers: two to `rich`, one each to `poor` and `other`. */
async function lendAll(
  pool: RelayBufferPool,
): Promise<Record<'rich' | 'rich2' | 'poor' | 'other', BufferLoan>> {
  return {
    rich: await pool.lend('rich', never),
    rich2: await pool.lend('rich', never),
    poor: await pool.lend('poor', never),
    other: await pool.lend('other', never),
  };
}

/** Asks for buffers. @returns the names of those who have got theirs, in that order */
function askFor(pool: RelayBufferPool, tickets: Record<string, string>): string[] {
  const granted: string[] = [];
  for (const [name, ticket] of Object.entries(tickets))
    pool.lend(ticket, never).then(
      () => granted.push(name),
      () => undefined,
    );
  return granted;
}

describe('the buffers of relayed bodies', () => {
  test('are lent one at once, which is back when the request ends', async () => {
    const pool = tightPool();
    const loan = await pool.lend('ticket', never);
    assert.deepEqual(pool.statistics(), { bytesMax: MiB, bytesInUse: smallBytes, waiting: 0 });
    loan.end();
    loan.end();
    assert.deepEqual(pool.statistics(), { bytesMax: MiB, bytesInUse: 0, waiting: 0 });
  });

  test('are no more for one ticket than its limit, however much is free', async () => {
    const pool = tightPool();
    const granted = askFor(pool, { first: 'ticket', second: 'ticket', third: 'ticket' });
    await nextTurn();
    assert.deepEqual(granted, ['first', 'second']);
    assert.equal(pool.statistics().bytesInUse, 2 * smallBytes);
  });

  test('are no more for one ticket than it leaves free', async () => {
    const pool = tightPool();
    await pool.lend('rich', never);
    await pool.lend('rich', never);
    const granted = askFor(pool, { first: 'poor', second: 'poor', third: 'other' });
    await nextTurn();
    assert.deepEqual(granted, ['first', 'third']);
  });

  test('are two for a request only while others of its ticket find one', async () => {
    const pool = poolOf({ total: 8, perTicket: 4 });
    const loan = await pool.lend('ticket', never);
    await pool.lend('ticket', never);
    assert.equal(loan.tryBorrow(), true);
    const last = await pool.lend('ticket', never);
    assert.equal(last.tryBorrow(), false);
    assert.equal(pool.statistics().bytesInUse, 4 * smallBytes);
  });

  test('go to the ticket that holds least, whoever came first', async () => {
    const pool = tightPool();
    const loans = await lendAll(pool);
    const granted = askFor(pool, { rich: 'rich', poor: 'poor', new: 'new' });
    loans.other.end();
    await nextTurn();
    assert.deepEqual(granted, ['new']);
    loans.rich.end();
    loans.rich2.end();
    await nextTurn();
    assert.deepEqual(granted, ['new', 'rich']);
    loans.poor.end();
    await nextTurn();
    assert.deepEqual(granted, ['new', 'rich', 'poor']);
  });

  test('go to the requests of one ticket in the order in which they came', async () => {
    const pool = tightPool();
    const loans = [await pool.lend('ticket', never), await pool.lend('ticket', never)];
    const granted = askFor(pool, { first: 'ticket', second: 'ticket', third: 'ticket' });
    for (const loan of loans) {
      loan.end();
      await nextTurn();
    }
    assert.deepEqual(granted, ['first', 'second']);
  });

  test('that nobody uses go to who waits, unless the daemon is still being asked', async () => {
    const pool = tightPool();
    const { rich, rich2 } = await lendAll(pool);
    rich.begin();
    const granted = askFor(pool, { first: 'new', second: 'newer' });
    await nextTurn();
    assert.deepEqual(granted, ['first']);
    assert.deepEqual([rich.hasIdle, rich2.hasIdle], [false, true]);
  });

  test('that are in use go, when they are put back, to a ticket that holds less', async () => {
    const pool = poolOf({ total: 6, perTicket: 3 });
    const rich = await pool.lend('rich', never);
    await pool.lend('rich', never);
    await pool.lend('rich', never);
    const poor = await pool.lend('poor', never);
    await pool.lend('other', never);
    const [ofRich, ofPoor] = [rich.take(), poor.take()];
    assert.ok(ofRich !== undefined && ofPoor !== undefined);
    const states = (): boolean[] => [rich.areShort, rich.isWanted, poor.isWanted];
    assert.deepEqual(states(), [false, false, false]);
    const granted = askFor(pool, { late: 'other' });
    assert.deepEqual(states(), [true, true, false]);
    poor.put(ofPoor);
    rich.put(ofRich);
    await nextTurn();
    assert.deepEqual([granted, poor.hasIdle, rich.hasIdle], [['late'], true, false]);
  });
});

describe('who waits for a buffer', () => {
  test('is refused with 503 when none came free in time', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    const pool = tightPool();
    await lendAll(pool);
    const refusals = [
      { ticket: 'rich', text: /one ticket/ },
      { ticket: 'new', text: /this server/ },
    ];
    const checks = refusals.map(({ ticket, text }) =>
      assert.rejects(pool.lend(ticket, never), (error: unknown) => {
        assert.ok(error instanceof UnavailableError);
        assert.match(error.message, text);
        return true;
      }),
    );
    assert.equal(pool.statistics().waiting, 2);
    t.mock.timers.tick(10_000);
    await Promise.all(checks);
    assert.deepEqual(pool.statistics(), { bytesMax: MiB, bytesInUse: MiB, waiting: 0 });
  });

  test('is forgotten when its request is aborted, and leaves the buffer to the next', async () => {
    const pool = tightPool();
    const { other } = await lendAll(pool);
    const controller = new AbortController();
    const reason = new Error('the client left');
    const aborted = pool.lend('new', controller.signal);
    const granted = askFor(pool, { next: 'newer' });
    controller.abort(reason);
    await assert.rejects(aborted, reason);
    assert.equal(pool.statistics().waiting, 1);
    other.end();
    await nextTurn();
    assert.deepEqual(granted, ['next']);
  });

  test('has every second looked who keeps buffers, until nobody waits', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const pool = tightPool();
    const { rich, other } = await lendAll(pool);
    const look = t.mock.fn(() => false);
    rich.onStall = look;
    t.mock.timers.tick(3000);
    assert.equal(look.mock.callCount(), 0);
    const waiting = pool.lend('new', never);
    t.mock.timers.tick(2000);
    assert.equal(look.mock.callCount(), 2);
    other.end();
    await waiting;
    t.mock.timers.tick(1000);
    const count = look.mock.callCount();
    t.mock.timers.tick(5000);
    assert.equal(look.mock.callCount(), count);
  });

  test('ends no more transfers that are held up than wait', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const pool = tightPool();
    const loans = Object.values(await lendAll(pool));
    let ended = 0;
    for (const loan of loans) {
      loan.onStall = () => {
        ended += 1;
        return true;
      };
    }
    askFor(pool, { first: 'new', second: 'newer' });
    t.mock.timers.tick(1000);
    assert.equal(ended, 2);
  });
});
