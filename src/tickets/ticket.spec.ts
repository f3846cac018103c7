import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { ManualClock, ticketDefinition } from '../../test/support/tickets.js';
import { NotAllowedError } from '../base/errors.js';
import type { OperationKind } from '../contract/operation-kind.js';
import type { TicketDefinition } from './ticket-definition.js';
import type { TicketLease } from './ticket-lease.js';
import { Ticket } from './ticket.js';

function makeTicket(parts: Partial<TicketDefinition> = {}): { ticket: Ticket; clock: ManualClock } {
  const clock = new ManualClock();
  return { ticket: new Ticket(ticketDefinition(parts), clock, { rangesMax: 16 }), clock };
}

/** Begins an operation that nobody else stops. */
function begin(ticket: Ticket, kind: OperationKind): TicketLease {
  return ticket.begin(kind, new AbortController());
}

/** Moves the timers and the clock of a ticket together. */
function pass(t: TestContext, clock: ManualClock, seconds: number): void {
  clock.advance(seconds);
  t.mock.timers.tick(seconds * 1000);
}

const expired = /Ticket expired$/;
const canceled = /Ticket was canceled$/;

describe('the expiry of a ticket', () => {
  test('is exactly its timeout after it was made', () => {
    const { ticket, clock } = makeTicket({ timeoutSeconds: 10 });
    clock.advance(9.999);
    ticket.authorize('read');
    clock.advance(0.001);
    assert.throws(() => {
      ticket.authorize('read');
    }, expired);
  });

  test('is told in whole seconds, never earlier than it is', () => {
    const { ticket, clock } = makeTicket({ timeoutSeconds: 10 });
    assert.equal(ticket.info().expiresSeconds, 1010);
    clock.advance(0.25);
    ticket.touch();
    assert.equal(ticket.info().expiresSeconds, 1011);
  });

  test('is renewed by an operation that ends', () => {
    const { ticket, clock } = makeTicket({ timeoutSeconds: 10 });
    const lease = begin(ticket, 'flush');
    clock.advance(5);
    lease.end();
    assert.equal(ticket.info().expiresSeconds, 1015);
  });

  test('is renewed by progress at most once a second', () => {
    const { ticket, clock } = makeTicket({ timeoutSeconds: 10 });
    const lease = begin(ticket, 'write');
    clock.advance(0.75);
    lease.progressed({ offsetBytes: 0, lengthBytes: 1 });
    assert.equal(ticket.info().expiresSeconds, 1010);
    clock.advance(0.25);
    lease.progressed({ offsetBytes: 1, lengthBytes: 1 });
    assert.equal(ticket.info().expiresSeconds, 1011);
    clock.advance(0.75);
    lease.progressed({ offsetBytes: 2, lengthBytes: 1 });
    assert.equal(ticket.info().expiresSeconds, 1011);
    lease.end();
  });

  test('is not renewed by an operation that was aborted', () => {
    const { ticket, clock } = makeTicket({ timeoutSeconds: 10 });
    const root = new AbortController();
    const lease = ticket.begin('write', root);
    clock.advance(20);
    root.abort(new NotAllowedError('Ticket expired'));
    lease.end();
    assert.equal(ticket.info().expiresSeconds, 1010);
    assert.throws(() => begin(ticket, 'write'), expired);
  });

  test('can be extended after it has come, and the own timeout stays', () => {
    const { ticket, clock } = makeTicket({ timeoutSeconds: 10 });
    clock.advance(100);
    ticket.extend(5);
    ticket.authorize('write');
    assert.equal(ticket.info().expiresSeconds, 1105);
    ticket.touch();
    assert.equal(ticket.info().expiresSeconds, 1110);
  });

  test('aborts the operations that run', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { ticket, clock } = makeTicket({ timeoutSeconds: 10 });
    const lease = begin(ticket, 'write');
    pass(t, clock, 9);
    assert.equal(lease.signal.aborted, false);
    pass(t, clock, 1);
    assert.match((lease.signal.reason as Error).message, expired);
    lease.end();
  });

  test('waits for the time that progress has added', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { ticket, clock } = makeTicket({ timeoutSeconds: 10 });
    const lease = begin(ticket, 'write');
    pass(t, clock, 6);
    lease.progressed({ offsetBytes: 0, lengthBytes: 1 });
    pass(t, clock, 6);
    assert.equal(lease.signal.aborted, false);
    pass(t, clock, 4);
    assert.equal(lease.signal.aborted, true);
    lease.end();
  });

  test('is sooner for running operations when it was shortened', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { ticket, clock } = makeTicket({ timeoutSeconds: 300 });
    const lease = begin(ticket, 'write');
    ticket.extend(1);
    pass(t, clock, 1);
    assert.equal(lease.signal.aborted, true);
    lease.end();
  });

  test('is sooner for later operations too when it was shortened between two', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { ticket, clock } = makeTicket({ timeoutSeconds: 300 });
    begin(ticket, 'write').end();
    ticket.extend(1);
    const lease = begin(ticket, 'write');
    pass(t, clock, 1);
    assert.equal(lease.signal.aborted, true);
    lease.end();
  });

  test('comes for an operation that began while the timer of an earlier one still ran', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { ticket, clock } = makeTicket({ timeoutSeconds: 10 });
    begin(ticket, 'write').end();
    pass(t, clock, 6);
    const lease = begin(ticket, 'write');
    pass(t, clock, 3.999);
    assert.equal(lease.signal.aborted, false);
    pass(t, clock, 0.001);
    assert.equal(lease.signal.aborted, true);
    lease.end();
  });

  test('of 68 years does not come at once', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { ticket, clock } = makeTicket({ timeoutSeconds: 2 ** 31 - 1 });
    const lease = begin(ticket, 'write');
    pass(t, clock, 1);
    assert.equal(lease.signal.aborted, false);
    lease.end();
  });
});

describe('a ticket', () => {
  test('for writing allows to read, one for reading does not allow to write', () => {
    makeTicket({ ops: ['write'] }).ticket.authorize('read');
    const { ticket } = makeTicket({ ops: ['read'] });
    ticket.authorize('read');
    assert.throws(() => {
      ticket.authorize('write');
    }, NotAllowedError);
    for (const kind of ['write', 'zero', 'flush'] as const) {
      assert.throws(() => begin(ticket, kind), NotAllowedError);
    }
    assert.equal(ticket.active, false);
  });

  test('is active while operations run, and then not idle', () => {
    const { ticket, clock } = makeTicket();
    clock.advance(7.9);
    assert.deepEqual([ticket.info().active, ticket.info().idleSeconds], [false, 7]);
    const [first, second] = [begin(ticket, 'write'), begin(ticket, 'read')];
    clock.advance(5);
    assert.deepEqual([ticket.info().active, ticket.info().idleSeconds], [true, 0]);
    first.end();
    assert.equal(ticket.active, true);
    second.end();
    second.end();
    clock.advance(2);
    assert.deepEqual([ticket.info().active, ticket.info().idleSeconds], [false, 2]);
  });

  for (const [ops, counted] of [
    [['write'], ['write', 'zero']],
    [['read'], ['read']],
  ] as const) {
    test(`to ${ops.join()} counts the distinct bytes of ${counted.join(' and ')} only`, () => {
      const { ticket } = makeTicket({ ops });
      for (const kind of ['read', 'write', 'zero', 'flush', 'extents', 'checksum', 'options'] as const) {
        if (ops[0] === 'read' && ['write', 'zero', 'flush'].includes(kind)) continue;
        const before = ticket.info().transferredBytes!;
        const lease = begin(ticket, kind);
        lease.progressed({ offsetBytes: before, lengthBytes: 10 });
        lease.progressed({ offsetBytes: before, lengthBytes: 10 });
        lease.end();
        const expected = (counted as readonly string[]).includes(kind) ? before + 10 : before;
        assert.equal(ticket.info().transferredBytes, expected, kind);
      }
    });
  }

  test('of both directions tells no transferred', () => {
    assert.equal(makeTicket({ ops: ['read', 'write'] }).ticket.info().transferredBytes, undefined);
    assert.equal(makeTicket({ ops: ['read', 'read'] }).ticket.info().transferredBytes, 0);
  });

  test('larger than 2^53 is that large for arithmetic and exact to tell', () => {
    const { ticket } = makeTicket({ size: 2n ** 64n });
    assert.equal(ticket.sizeBytes, Number.MAX_SAFE_INTEGER);
    assert.equal(ticket.info().size, 2n ** 64n);
  });
});

describe('cancelling a ticket', () => {
  test('aborts what runs and refuses what comes', () => {
    const { ticket } = makeTicket();
    const lease = begin(ticket, 'write');
    ticket.cancel();
    assert.match((lease.signal.reason as Error).message, canceled);
    assert.throws(() => begin(ticket, 'read'), canceled);
    assert.throws(() => {
      ticket.attach({ close: () => Promise.resolve() });
    }, canceled);
    assert.equal(ticket.info().canceled, true);
    lease.end();
  });

  test('is not undone by extending it', () => {
    const { ticket } = makeTicket();
    ticket.cancel();
    ticket.extend(100);
    assert.throws(() => {
      ticket.authorize('read');
    }, canceled);
  });

  test('is complete only when every operation has ended and every image is closed', async () => {
    const { ticket } = makeTicket();
    const order: string[] = [];
    const connection = {
      close: async () => {
        order.push('closed');
      },
    };
    ticket.attach(connection);
    const leases = [begin(ticket, 'write'), begin(ticket, 'read')];
    assert.equal(ticket.info().connections, 1);
    ticket.cancel();
    const closed = ticket.closed().then(() => order.push('complete'));
    for (const lease of leases) {
      await Promise.resolve();
      order.push('ended');
      lease.end();
    }
    await closed;
    assert.deepEqual(order, ['ended', 'ended', 'closed', 'complete']);
    assert.equal(ticket.info().connections, 0);
  });
});

describe('the account of a ticket', () => {
  test('has what storage took of the changes of its leases, and what a flush made durable', async () => {
    const { ticket } = makeTicket();
    const lease = ticket.begin('write', new AbortController(), {
      changes: { offsetBytes: 0, lengthBytes: 30 },
    });
    await lease.change({ offsetBytes: 0, lengthBytes: 10 }, async () => undefined);
    await lease.flush(async () => undefined);
    await lease.change({ offsetBytes: 20, lengthBytes: 10 }, async () => undefined, { zero: true });
    lease.end();
    assert.deepEqual(ticket.received.page({ state: 'received', startBytes: 0, rangesMax: 10 }), {
      generation: 1,
      receivedBytes: 20,
      durableBytes: 10,
      ranges: [
        { offsetBytes: 0, lengthBytes: 10, state: 'durable', zero: false },
        { offsetBytes: 20, lengthBytes: 10, state: 'received', zero: true },
      ],
      nextBytes: undefined,
    });
  });

  test('has nothing of bytes that were dropped because a younger request wrote them', async () => {
    const { ticket } = makeTicket();
    const changes = { offsetBytes: 0, lengthBytes: 10 };
    const older = ticket.begin('write', new AbortController(), { changes });
    const younger = ticket.begin('write', new AbortController(), { changes });
    await younger.change(changes, async () => undefined);
    await younger.flush(async () => undefined);
    await older.change(changes, () => Promise.reject(new Error('It is not called')));
    assert.equal(ticket.received.durableBytes, 10);
  });
});
