import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { MiB } from '../../src/units.js';
import { RawSocket } from '../support/raw-socket.js';
import { DaemonFixture, withoutTls } from './daemon.fixture.js';
import { requestBytes } from './raw-answers.js';

test('500 idle connections do not keep a transfer from running', async () => {
  await using fixture = await DaemonFixture.start();
  const handshaking = withoutTls(fixture.daemon.address('remote'));
  const idle: RawSocket[] = [];
  try {
    for (let count = 0; count < 200; count++) {
      idle.push(await RawSocket.connect(handshaking), await fixture.connect('local'));
    }
    for (let count = 0; count < 100; count++) {
      const socket = await fixture.connect();
      await socket.send('PUT /images/slow HTTP/1.1\r\nHost: ');
    }
    const data = randomBytes(8 * MiB);
    const ticket = await fixture.addImage(data.length);
    const client = fixture.client();
    await client.write(ticket.id, data, 0, true);
    assert.ok((await client.request('GET', ticket.path)).body.equals(data));
  } finally {
    for (const socket of idle) socket.close();
  }
});

test('connections beyond the limit are closed, those within it work', async () => {
  await using fixture = await DaemonFixture.start({ limits: { connections: 16 } });
  const ticket = await fixture.addImage(Buffer.from('DATA'));
  const sockets: RawSocket[] = [];
  for (let count = 0; count < 16; count++) sockets.push(await fixture.connect('local'));
  const beyond = await fixture.connect('local');
  assert.equal((await beyond.readUntilClose()).length, 0);
  await sockets[0]!.send(requestBytes('GET', ticket.path));
  await sockets[0]!.readUntil('DATA');
  assert.equal((await fixture.vdsm.getTicket(ticket.id)).connections, 1);
});
