import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connectedSockets } from '../native/socket-calls.js';
import type { LentImage } from '../wire/client-thread.js';
import { GrantCells, type Grant } from './grant-cells.js';
import { type CellFollower, LentClient } from './lent-client.js';
import { LentSocket } from './lent-socket.js';
import type { WorkerCommand } from './messages.js';

const image: LentImage = {
  ticketId: 'ticket',
  transferId: 'transfer',
  imageUrl: 'file:///image',
  fd: -1,
  blockSizeBytes: 1,
  sizeBytes: 10,
  totalBytes: '10',
  contentDisposition: 'attachment',
  silenceSeconds: 60,
  onRead: () => undefined,
};

/** A connection, and what its thread was told. */
function lentClient() {
  const cells = GrantCells.create(4);
  const told: WorkerCommand[] = [];
  const followers = new Map<number, CellFollower>();
  const [ours] = connectedSockets();
  const events = {
    secure: () => assert.fail('nobody speaks TLS here'),
    passes: () => undefined,
    failed: () => undefined,
    closed: () => undefined,
  };
  const client = new LentClient(1, new LentSocket(ours, undefined), events, {
    cells,
    tell: (command) => told.push(command),
    settle: () => undefined,
    follow: (cell, follower) => followers.set(cell, follower),
    forget: (cell) => followers.delete(cell),
  });
  const grant = (): Grant => {
    const last = told.findLast((command) => command.kind === 'grant');
    assert.ok(last !== undefined);
    return last.image.grant;
  };
  return {
    client,
    cells,
    followers,
    grant,
    [Symbol.dispose]: () => {
      client.closed();
    },
  };
}

describe('a grant', () => {
  test('is taken back when nothing reads by it any more', async () => {
    using lent = lentClient();
    const { client, cells, followers } = lent;
    const offered = client.offer(image);
    const grant = lent.grant();
    assert.ok(cells.enter(grant));
    assert.ok(client.isRunning);
    let revoked = false;
    const revoking = offered?.revoke().then(() => {
      revoked = true;
    });
    // Somebody who had the cell before has left, which is not the one that is waited for.
    followers.get(grant.cell)?.onLeft();
    await new Promise(setImmediate);
    assert.equal(revoked, false);
    assert.ok(cells.endReading(grant));
    followers.get(grant.cell)?.onLeft();
    await revoking;
    assert.equal(followers.has(grant.cell), false);
    // The last of the answer has not left yet.
    cells.endAnswering(grant);
    assert.equal(client.isRunning, false);
  });

  test('of a larger part of the image does not end with the one before it', async () => {
    using lent = lentClient();
    const { client, cells } = lent;
    const first = client.offer(image);
    const firstGrant = lent.grant();
    const revoking = first?.revoke();
    const second = client.offer({ ...image, sizeBytes: 20 });
    const secondGrant = lent.grant();
    await revoking;
    assert.equal(cells.enter(firstGrant), false);
    assert.equal(second?.revoked, false);
    assert.ok(cells.enter(secondGrant));
  });

  test('is not given for a connection that is closed', () => {
    using lent = lentClient();
    lent.client.closed();
    assert.equal(lent.client.offer(image), undefined);
  });
});

test('a connection is at work while its request is on the way to the main thread', async () => {
  using lent = lentClient();
  const { client } = lent;
  assert.equal(await client.ask(() => Promise.resolve('not now')), 'not now');
  assert.ok(client.isRunning);
  client.began();
  assert.equal(client.isRunning, false);
  await client.ask(() => Promise.resolve('lent'));
  assert.equal(client.isRunning, false);
});
