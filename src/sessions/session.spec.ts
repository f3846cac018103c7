import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Session, type SessionEnd } from './session.js';
import type { Grant } from './grant.js';
import { runFor } from '../../test/support/session-leases.js';
import type { Lease } from '../base/lease.js';
import { NotAllowedError, UnavailableError } from '../base/errors.js';
import { fixedUnixSeconds, makeTicket, makeVerifier } from '../../test/support/signed-tickets.js';

function makeGrant(exp = fixedUnixSeconds + 3600): Grant {
  return makeVerifier().verify(makeTicket({ payload: { exp } }));
}

test('aborts running requests when it ends, with why it ended first', () => {
  const session = new Session('id', makeGrant());
  const ends: SessionEnd[] = [];
  for (let count = 0; count < 2; count++) runFor(session, (end) => ends.push(end));
  assert.equal(session.runningCount, 2);
  session.end('deleted');
  session.end('expired');
  assert.deepEqual(ends, ['deleted', 'deleted']);
  assert.equal(session.runningCount, 0);
});

test('tells a request that it was the service that stopped it', () => {
  const session = new Session('id', makeGrant());
  const lease = runFor(session);
  session.end('closed');
  assert.ok(lease.signal.reason instanceof UnavailableError);
});

test('is renewed by grants of its own transfer ticket only', () => {
  const grant = makeGrant();
  const session = new Session('id', grant);
  const newer = makeGrant(fixedUnixSeconds + 7200);
  assert.equal(session.isFor(newer), true);
  session.renew(newer);
  const foreign = { ...newer, transferTicketId: crypto.randomUUID() };
  assert.equal(session.isFor(foreign), false);
  assert.throws(() => {
    session.renew(foreign);
  }, /stays with its transfer ticket/);
  assert.equal(session.grant, newer);
});

test('does not abort a request that has ended', () => {
  const session = new Session('id', makeGrant());
  const lease = runFor(session);
  lease.end();
  lease.end();
  assert.equal(session.runningCount, 0);
  session.end('deleted');
  assert.equal(lease.signal.aborted, false);
});

test('goes on while one of two leases of the same work has not ended', () => {
  const uses: boolean[] = [];
  const session = new Session('id', makeGrant(), (inUse) => uses.push(inUse));
  const root = new AbortController();
  session.begin(root);
  session.begin(root).end();
  assert.deepEqual(uses, [true]);
  session.end('deleted');
  assert.equal(root.signal.aborted, true);
});

test('hands on what progresses, and counts nothing of it', () => {
  const ranges: unknown[] = [];
  const session = new Session('id', makeGrant());
  const lease = session.begin(new AbortController(), (range) => ranges.push(range));
  lease.progressed({ offsetBytes: 1, lengthBytes: 2 });
  assert.deepEqual(ranges, [{ offsetBytes: 1, lengthBytes: 2 }]);
});

test('refuses a request that starts after the end with what would have aborted it', () => {
  for (const [end, error] of [
    ['deleted', NotAllowedError],
    ['expired', NotAllowedError],
    ['closed', UnavailableError],
  ] as const) {
    const session = new Session('id', makeGrant());
    session.end(end);
    assert.throws(() => runFor(session), error);
    assert.equal(session.runningCount, 0);
  }
});

test('lets requests end themselves and others while they are aborted', () => {
  const session = new Session('id', makeGrant());
  const ends: SessionEnd[] = [];
  const leases: Lease[] = [];
  for (let index = 0; index < 3; index++) {
    leases.push(
      runFor(session, (end) => {
        ends.push(end);
        for (const lease of leases) lease.end();
      }),
    );
  }
  session.end('closed');
  assert.deepEqual(ends, ['closed', 'closed', 'closed']);
});

test('is over at the end of its grant and not before, unless it was renewed', () => {
  const session = new Session('id', makeGrant(fixedUnixSeconds + 10));
  assert.equal(session.isOver(fixedUnixSeconds + 9.999), false);
  assert.equal(session.isOver(fixedUnixSeconds + 10), true);
  session.renew(makeGrant(fixedUnixSeconds + 20));
  assert.equal(session.isOver(fixedUnixSeconds + 10), false);
  session.end('deleted');
  assert.equal(session.isOver(fixedUnixSeconds), true);
});
