import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FailedAuthentications } from './failed-authentications.js';
import { TooManyFailuresError, UnauthenticatedError } from '../base/errors.js';
import { FakeClock } from '../../test/support/signed-tickets.js';

const wrong = new UnauthenticatedError('wrong');

function makeLimit({ addressesMax = 100 } = {}) {
  const clock = new FakeClock(1000);
  const limited: string[] = [];
  const options = { failuresMax: 3, failuresPerSecond: 0.5, addressesMax };
  const failures = new FailedAuthentications(options, clock, (network) => limited.push(network));
  return { clock, failures, limited };
}

function fail(failures: FailedAuthentications, address: string, count: number): unknown[] {
  return Array.from({ length: count }, () => failures.refusal(address, wrong));
}

test('answers as many failures as its limit and refuses the next ones', () => {
  const { failures, limited } = makeLimit();
  assert.deepEqual(fail(failures, '192.0.2.1', 3), [wrong, wrong, wrong]);
  assert.deepEqual(limited, ['192.0.2.1']);
  const [refused] = fail(failures, '192.0.2.1', 1);
  assert.ok(refused instanceof TooManyFailuresError);
  assert.equal(refused.retryAfterSeconds, 2);
  assert.deepEqual(limited, ['192.0.2.1']);
});

test('answers again as time goes by, and never more than its limit', () => {
  const { failures, clock } = makeLimit();
  fail(failures, '192.0.2.1', 9);
  clock.nowUnixSeconds += 2;
  assert.equal(failures.refusal('192.0.2.1', wrong), wrong);
  assert.notEqual(failures.refusal('192.0.2.1', wrong), wrong);
  clock.nowUnixSeconds += 1e6;
  assert.equal(fail(failures, '192.0.2.1', 9).filter((error) => error === wrong).length, 3);
});

test('gains nothing from being refused often', () => {
  const { failures, clock } = makeLimit();
  fail(failures, '192.0.2.1', 3);
  for (let step = 0; step < 19; step++) {
    clock.nowUnixSeconds += 0.1;
    assert.notEqual(failures.refusal('192.0.2.1', wrong), wrong);
  }
  clock.nowUnixSeconds += 0.2;
  assert.equal(failures.refusal('192.0.2.1', wrong), wrong);
});

test('counts each address for itself', () => {
  const { failures } = makeLimit();
  fail(failures, '192.0.2.1', 4);
  assert.equal(failures.refusal('192.0.2.2', wrong), wrong);
  assert.equal(failures.refusal(undefined, wrong), wrong);
});

test('remembers a bounded number of addresses, and forgets those that failed longest ago', () => {
  const { failures } = makeLimit({ addressesMax: 2 });
  fail(failures, '192.0.2.1', 4);
  fail(failures, '192.0.2.2', 4);
  fail(failures, '192.0.2.1', 1);
  fail(failures, '192.0.2.3', 1);
  assert.equal(failures.size, 2);
  assert.notEqual(failures.refusal('192.0.2.1', wrong), wrong);
  assert.equal(failures.refusal('192.0.2.2', wrong), wrong);
});
