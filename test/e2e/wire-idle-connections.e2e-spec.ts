import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { RawSocket } from '../support/raw-socket.js';
import { withoutTls } from './daemon-under-test.js';
import { describeWire } from './wire-under-test.js';

describeWire('500 idle connections', {}, (wire) => {
  const idle: RawSocket[] = [];
  after(() => {
    for (const socket of idle) socket.close();
  });

  test('do not keep a transfer from running', async () => {
    const handshaking = withoutTls(wire.address);
    for (let count = 0; count < 400; count++) idle.push(await RawSocket.connect(handshaking));
    for (let count = 0; count < 100; count++) {
      const socket = await wire.connect();
      await socket.send('PUT /images/slow HTTP/1.1\r\nHost: ');
    }
    const data = randomBytes(8 * MiB);
    const ticket = await wire.addImage(data.length);
    const client = wire.client();
    await client.write(ticket.id, data, 0, true);
    assert.ok((await client.request('GET', ticket.path)).body.equals(data));
  });
});
