import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientAddressOf, networkOf } from './client-network.js';

for (const [address, network] of [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:0:0:ffff::', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:1:2:3:4:192.0.2.1', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
] as const) {
  test(`takes ${address} for a client of ${network}`, () => {
    assert.equal(networkOf(address), network);
  });
}

test('writes the address of an IPv4 client without what a listener of both puts before it', () => {
  const plain = (remoteAddress: string | undefined) => clientAddressOf({ remoteAddress });
  assert.equal(plain('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(plain('::ffff:0:1'), '::ffff:0:1');
  assert.equal(plain(undefined), undefined);
});
