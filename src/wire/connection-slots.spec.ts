import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionSlots, type SlotHolder } from './connection-slots.js';

class Connection implements SlotHolder {
  destroyed = false;

  constructor(readonly remoteAddress?: string) {}

  destroy(): void {
    this.destroyed = true;
  }
}

function makeSlots({ connectionsMax = 4, strangersPerNetworkMax = 100 } = {}) {
  const slots = new ConnectionSlots<Connection>({ connectionsMax, strangersPerNetworkMax });
  const connect = (address?: string): Connection => {
    const connection = new Connection(address);
    if (!slots.take(connection)) connection.destroy();
    return connection;
  };
  return { slots, connect };
}

function destroyed(connections: readonly Connection[]): boolean[] {
  return connections.map((connection) => connection.destroyed);
}

test('destroys the oldest stranger for a new connection when all slots are taken', () => {
  const { slots, connect } = makeSlots();
  const connections = Array.from({ length: 6 }, () => connect());
  assert.deepEqual(destroyed(connections), [true, true, false, false, false, false]);
  assert.equal(slots.taken, 4);
});

test('keeps those that have shown a ticket, and refuses new ones when they have all the slots', () => {
  const { slots, connect } = makeSlots();
  const kept = Array.from({ length: 3 }, () => connect());
  for (const connection of kept) slots.keep(connection);
  const strangers = [connect(), connect()];
  assert.deepEqual(destroyed([...kept, ...strangers]), [false, false, false, true, false]);
  slots.keep(strangers[1]!);
  assert.equal(connect().destroyed, true);
  slots.release(kept[0]!);
  assert.equal(connect().destroyed, false);
});

test('destroys the oldest stranger of an address that has too many, and none of other addresses', () => {
  const { connect } = makeSlots({ connectionsMax: 10, strangersPerNetworkMax: 2 });
  const other = connect('192.0.2.1');
  const crowd = Array.from({ length: 4 }, () => connect('192.0.2.2'));
  assert.equal(other.destroyed, false);
  assert.deepEqual(destroyed(crowd), [true, true, false, false]);
});

test('takes a /64 of IPv6 for one address, and an IPv4 address for one however it is written', () => {
  const { connect } = makeSlots({ connectionsMax: 10, strangersPerNetworkMax: 1 });
  const same = [connect('2001:db8::1'), connect('2001:db8::2'), connect('2001:db8:0:1::1')];
  assert.deepEqual(destroyed(same), [true, false, false]);
  const mapped = [connect('192.0.2.1'), connect('::ffff:192.0.2.1')];
  assert.deepEqual(destroyed(mapped), [true, false]);
});

test('does not count connections with a ticket for their address', () => {
  const { slots, connect } = makeSlots({ connectionsMax: 10, strangersPerNetworkMax: 2 });
  const kept = Array.from({ length: 4 }, () => {
    const connection = connect('192.0.2.1');
    slots.keep(connection);
    return connection;
  });
  const strangers = [connect('192.0.2.1'), connect('192.0.2.1')];
  assert.deepEqual(destroyed([...kept, ...strangers]), Array(6).fill(false));
});

test('gives one address half of the slots at most', () => {
  const { connect } = makeSlots({ connectionsMax: 4 });
  const crowd = Array.from({ length: 3 }, () => connect('192.0.2.1'));
  assert.deepEqual(destroyed(crowd), [true, false, false]);
});

test('gives clients of this host, which have no address, all the slots', () => {
  const { connect } = makeSlots({ connectionsMax: 4, strangersPerNetworkMax: 1 });
  assert.deepEqual(destroyed(Array.from({ length: 4 }, () => connect())), Array(4).fill(false));
});

test('forgets connections that are closed', () => {
  const { slots, connect } = makeSlots({ strangersPerNetworkMax: 1 });
  for (let count = 0; count < 3; count++) {
    const connection = connect('192.0.2.1');
    slots.release(connection);
    assert.equal(connection.destroyed, false);
  }
  assert.equal(slots.taken, 0);
  assert.deepEqual([...slots.holders], []);
});
