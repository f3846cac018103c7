import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { after, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { connectOptions } from '../support/address.js';
import { within } from '../support/deadline.js';
import { RawSocket } from '../support/raw-socket.js';
import { withoutTls } from './daemon-under-test.js';
import { parseAnswer, requestBytes } from './raw-answers.js';
import { describeWire } from './wire-under-test.js';

// What stops in the middle of a record is waited for that long.
const configuration = { limits: { handshake_timeout_sec: 5 } };
// Whatever it shows, nobody gets so far as to show it.
const routes = ['straight to the daemon', 'through the proxy with a session'] as const;

describeWire('TLS', { configuration, routes }, (wire) => {
  after(async () => {
    assert.equal((await wire.client().request('GET', '/info/')).status, 200);
  });

  async function handshake(options: ConnectionOptions): Promise<TLSSocket> {
    const socket = connect({ ...connectOptions(wire.address), ...options });
    await within(once(socket, 'secureConnect'), 'the handshake');
    return socket;
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`takes ${version}`, async () => {
      const socket = await handshake({ minVersion: version, maxVersion: version });
      assert.equal(socket.getProtocol(), version);
      socket.destroy();
    });
  }

  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    test(`refuses ${version}`, async () => {
      const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
      await assert.rejects(handshake(old), /alert|protocol|version|ECONNRESET|disconnected/i);
    });
  }

  test('offers HTTP/1.1 and not h2', async () => {
    const socket = await handshake({ ALPNProtocols: ['h2', 'http/1.1'] });
    assert.equal(socket.alpnProtocol, 'http/1.1');
    socket.destroy();
  });

  test('does not need ALPN', async () => {
    const socket = await handshake({ ALPNProtocols: [] });
    assert.equal(socket.alpnProtocol, false);
    socket.destroy();
  });

  const hellos: readonly (readonly [string, string | Uint8Array])[] = [
    ['garbage', Buffer.alloc(2000, 0xff)],
    ['a hello of nonsense', Buffer.from('16030100050100000100', 'hex')],
    ['an old SSL hello', Buffer.from('802e0100020015000000100100800200', 'hex')],
    ['a record that is too long', Buffer.concat([Buffer.from('160301ffff', 'hex'), Buffer.alloc(70_000)])],
  ];
  for (const [what, bytes] of hellos) {
    test(`closes a connection that begins with ${what}`, async () => {
      const socket = await RawSocket.connect(withoutTls(wire.address));
      await socket.send(bytes).catch(() => undefined);
      const answer = await socket.readUntilClose();
      assert.ok(!answer.includes('HTTP/1.1 2'));
    });
  }

  for (const [what, bytes] of [
    ['GET', requestBytes('GET', '/info/')],
    ['OPTIONS', requestBytes('OPTIONS', '/images/x')],
    ['PATCH', requestBytes('PATCH', '/images/x', ['Content-Length: 4'], 'body')],
    ['an unknown method', requestBytes('brew', '/')],
    ['an upload', requestBytes('PUT', '/images/x', [`Content-Length: ${8 * MiB}`], 'x'.repeat(8 * MiB))],
  ] as const) {
    test(`tells a client of plain HTTP that begins with ${what} that the port speaks HTTPS`, async () => {
      const socket = await RawSocket.connect(withoutTls(wire.address));
      await socket.send(bytes).catch(() => undefined);
      const { status, headers, body } = parseAnswer(await socket.readUntilClose());
      assert.deepEqual([status, headers['connection'], body], [400, 'close', 'This port speaks HTTPS\n']);
    });
  }
});
