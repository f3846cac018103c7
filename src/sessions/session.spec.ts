import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Session, type SessionEnd } from './session.js';
import type { TransferGrant } from './transfer-grant.js';
import { fixedUnixSeconds, makeTicket, makeVerifier } from '../../test/vectors/signed-ticket.fixtures.js';

function makeGrant(exp = fixedUnixSeconds + 3600): TransferGrant {
  return makeVerifier().verify(makeTicket({ payload: { exp } }));
}

test('cancels running requests when it ends, each once', () => {
  const session = new Session('id', makeGrant());
  const ends: SessionEnd[] = [];
  const cancel = (end: SessionEnd): void => {
    ends.push(end);
  };
  session.run(cancel);
  session.run(cancel);
  assert.equal(session.runningCount, 2);
  session.end('deleted');
  session.end('expired');
  assert.deepEqual(ends, ['deleted', 'deleted']);
  assert.equal(session.runningCount, 0);
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

test('does not cancel a request that has ended', () => {
  const session = new Session('id', makeGrant());
  const release = session.run(() => assert.fail('cancelled'));
  release();
  release();
  assert.equal(session.runningCount, 0);
  session.end('deleted');
});

test('releases one of two requests with the same function', () => {
  const session = new Session('id', makeGrant());
  let cancelCount = 0;
  const cancel = (): void => {
    cancelCount++;
  };
  session.run(cancel);
  session.run(cancel)();
  session.end('deleted');
  assert.equal(cancelCount, 1);
});

test('cancels a request at once that starts after the end', () => {
  const session = new Session('id', makeGrant());
  session.end('expired');
  const ends: SessionEnd[] = [];
  session.run((end) => ends.push(end))();
  assert.deepEqual(ends, ['expired']);
  assert.equal(session.runningCount, 0);
});

test('lets requests release themselves and others while they are cancelled', () => {
  const session = new Session('id', makeGrant());
  let cancelCount = 0;
  const releases: (() => void)[] = [];
  for (let index = 0; index < 3; index++) {
    releases.push(
      session.run(() => {
        cancelCount++;
        for (const release of releases) release();
      }),
    );
  }
  session.end('closed');
  assert.equal(cancelCount, 3);
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
