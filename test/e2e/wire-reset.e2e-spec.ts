import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { describeWire } from './wire-under-test.js';

const largeBytes = 24 * MiB;

// Only a TCP socket can be reset on purpose.
const configuration = { tls: { enable: false } };

describeWire('a client that resets its connection', { configuration }, (wire) => {
  test('can do so where TLS is off', () => {
    assert.equal(wire.address.kind, 'tcp');
  });

  test('in mid-PUT leaves no operation, connection or open file', async () => {
    const ticket = await wire.addImage(largeBytes);
    const socket = await wire.connect();
    await socket.send(
      wire.request('PUT', ticket.path, [`Content-Length: ${largeBytes}`], 'x'.repeat(5 * MiB)),
    );
    await wire.ticketState(ticket, ({ transferred }) => transferred! >= 4 * MiB, 'the data is written');
    socket.reset();
    const { transferred } = await wire.ticketState(
      ticket,
      ({ active, connections }) => !active && connections === 0,
      'the ticket is idle',
    );
    assert.ok(transferred! >= 4 * MiB && transferred! <= 5 * MiB);
    assert.equal(await wire.openFiles(ticket.file), 0);
    const content = await wire.contentOf(ticket);
    assert.equal(content.subarray(0, transferred).toString('latin1'), 'x'.repeat(transferred!));
    assert.ok(content.subarray(transferred).equals(Buffer.alloc(largeBytes - transferred!)));
    assert.equal((await wire.client().request('PUT', ticket.path, { body: 'again' })).status, 200);
  });

  test('in mid-GET leaves no operation, connection or open file', async () => {
    const ticket = await wire.addImage(largeBytes, { ops: ['read'] });
    const socket = await wire.connect();
    await socket.send(wire.request('GET', ticket.path));
    await socket.readAtLeast(MiB);
    socket.reset();
    await wire.ticketState(
      ticket,
      ({ active, connections }) => !active && connections === 0,
      'the ticket is idle',
    );
    assert.equal(await wire.openFiles(ticket.file), 0);
  });
});
