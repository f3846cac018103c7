import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { KiB, MiB, type ByteRange } from '../../src/base/units.js';
import { eventually } from '../support/deadline.js';
import type { RawSocket } from '../support/raw-socket.js';
import type { ImageTicket } from './daemon-under-test.js';
import { parseAnswer } from './raw-answers.js';
import { describeWire, type Wire } from './wire-under-test.js';

const sizeBytes = 4 * MiB;
const older = Buffer.alloc(sizeBytes, 'older');
const newer = Buffer.alloc(sizeBytes, 'newer');
/** Not a whole number of buffers, so that part of it lies in one that is not full. */
const sentBytes = 1.5 * MiB + 100;

/**
 * Changes of a part of the image that overlap a running upload of all of it; each returns when it was
 * acknowledged.
 */
const overlapping: readonly (readonly [
  string,
  (wire: Wire, ticket: ImageTicket) => Promise<ByteRange & { readonly bytes: Buffer }>,
])[] = [
  ['an upload of the whole image', (wire, ticket) => upload(wire, ticket, 0, sizeBytes)],
  ['an upload of a part', (wire, ticket) => upload(wire, ticket, MiB, MiB)],
  ['an upload with unaligned edges', (wire, ticket) => upload(wire, ticket, MiB - 77, MiB + 1000)],
  ['an upload of a few bytes', (wire, ticket) => upload(wire, ticket, 1.5 * MiB + 90, 20)],
  ['an upload in chunks', uploadInChunks],
  ['a zero of the whole image', (wire, ticket) => zero(wire, ticket, 0, sizeBytes)],
  ['a zero with unaligned edges', (wire, ticket) => zero(wire, ticket, MiB + 5, MiB + 1000)],
];

describeWire('overlapping writes', {}, (wire) => {
  for (const [what, change] of overlapping) {
    test(`${what} is not undone by what an older upload had sent before`, async () => {
      const ticket = await wire.addImage(sizeBytes);
      const socket = await beginUpload(wire, ticket);
      const { offsetBytes, lengthBytes, bytes } = await change(wire, ticket);
      // Whatever of the older one is still on its way is written or dropped before the answer to it.
      socket.halfClose();
      assert.equal(parseAnswer(await socket.readUntilClose()).status, 400);
      const content = await wire.contentOf(ticket);
      assert.ok(content.subarray(offsetBytes, offsetBytes + lengthBytes).equals(bytes));
    });

    test(`${what} is not undone by what an older upload sends afterwards`, async () => {
      const ticket = await wire.addImage(sizeBytes);
      const socket = await beginUpload(wire, ticket);
      const { offsetBytes, lengthBytes, bytes } = await change(wire, ticket);
      await socket.send(older.subarray(sentBytes));
      assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
      const expected = Buffer.from(older);
      bytes.copy(expected, offsetBytes);
      assert.ok((await wire.contentOf(ticket)).equals(expected), `changed ${lengthBytes} bytes`);
      const { transferred } = await wire.vdsm.getTicket(ticket.id);
      assert.equal(transferred, sizeBytes);
    });
  }

  test('the log tells how much of an older upload was dropped', async () => {
    const ticket = await wire.addImage(sizeBytes, { transfer_id: randomUUID() });
    const socket = await beginUpload(wire, ticket);
    await upload(wire, ticket, 3 * MiB, 1000);
    await socket.send(older.subarray(sentBytes));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    const record = await eventually(
      () =>
        wire.daemon.daemon.log.find(
          ({ transfer_id, bytes }) =>
            transfer_id === ticket.document.transfer_id && bytes === sizeBytes - 1000,
        ),
      'the record of the older upload',
    );
    assert.equal(record['overtaken_bytes'], 1000);
  });

  test('an upload is not undone by an older one that is cut', async () => {
    const ticket = await wire.addImage(sizeBytes);
    const socket = await beginUpload(wire, ticket);
    await upload(wire, ticket, 0, sizeBytes);
    await socket.send(older.subarray(sentBytes, 2.5 * MiB));
    socket.close();
    await wire.ticketState(ticket, ({ active }) => !active, 'nothing runs');
    assert.ok((await wire.contentOf(ticket)).equals(newer));
  });

  test('an older upload writes where a newer one came to nothing', async () => {
    const ticket = await wire.addImage(sizeBytes);
    const socket = await beginUpload(wire, ticket);
    const broken = await wire.connect();
    const head = ['Content-Range: bytes 2097152-3145727/*', `Content-Length: ${MiB}`];
    await broken.send(wire.request('PUT', ticket.path, head, 'x'.repeat(5000)));
    broken.halfClose();
    assert.equal(parseAnswer(await broken.readUntilClose()).status, 400);
    await socket.send(older.subarray(sentBytes));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    const expected = Buffer.from(older).fill('x', 2 * MiB, 2 * MiB + 5000);
    assert.ok((await wire.contentOf(ticket)).equals(expected));
  });

  test('uploads beside one that stalls do not wait for it', async () => {
    const ticket = await wire.addImage(2 * sizeBytes);
    const socket = await beginUpload(wire, ticket);
    await upload(wire, ticket, sizeBytes, sizeBytes - KiB);
    await socket.send(older.subarray(sentBytes));
    assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
    const expected = Buffer.concat([older, newer.subarray(0, sizeBytes - KiB), Buffer.alloc(KiB)]);
    assert.ok((await wire.contentOf(ticket)).equals(expected));
  });

  test('of two uploads that both stall and go on, the younger one is what the image keeps', async () => {
    const ticket = await wire.addImage(sizeBytes);
    const [first, second] = [await beginUpload(wire, ticket), await beginUpload(wire, ticket, newer)];
    await first.send(older.subarray(sentBytes));
    assert.equal(parseAnswer(await first.readUntilClose()).status, 200);
    await second.send(newer.subarray(sentBytes));
    assert.equal(parseAnswer(await second.readUntilClose()).status, 200);
    assert.ok((await wire.contentOf(ticket)).equals(newer));
  });
});

const fewBuffers = { limits: { buffer_pool_bytes: 4 * MiB, buffer_bytes: MiB } };

describeWire(
  'overlapping writes of uploads that wait for a buffer',
  { configuration: fewBuffers },
  (wire) => {
    test('an upload that waited does not write over what was acknowledged meanwhile', async () => {
      const ticket = await wire.addImage(8 * sizeBytes);
      const openBy = (count: number) =>
        wire.ticketState(ticket, ({ connections }) => connections === count, `${count} have the image open`);
      const holders: RawSocket[] = [];
      for (let index = 1; index <= 4; index++) {
        const holder = await wire.connect();
        const range = `Content-Range: bytes ${index * sizeBytes}-*/*`;
        await holder.send(wire.request('PUT', ticket.path, [range, `Content-Length: ${sizeBytes}`], 'begun'));
        await openBy(index);
        holders.push(holder);
      }
      const socket = await wire.connect();
      const head = [`Content-Length: ${sizeBytes}`, 'Connection: close'];
      await socket.send(wire.request('PUT', ticket.path, head));
      const sent = socket.send(older);
      await openBy(5);
      const { bytes } = await zero(wire, ticket, 0, sizeBytes);
      for (const holder of holders) holder.close();
      await sent;
      assert.equal(parseAnswer(await socket.readUntilClose()).status, 200);
      assert.ok((await wire.contentOf(ticket)).subarray(0, sizeBytes).equals(bytes));
    });
  },
);

/**
 * Sends the head and a part of an upload of `sizeBytes` bytes, and waits until the daemon has begun with it.
 */
async function beginUpload(wire: Wire, ticket: ImageTicket, bytes = older): Promise<RawSocket> {
  const { connections: before } = await wire.vdsm.getTicket(ticket.id);
  const socket = await wire.connect();
  await socket.send(wire.request('PUT', ticket.path, [`Content-Length: ${sizeBytes}`, 'Connection: close']));
  await socket.send(bytes.subarray(0, sentBytes));
  await wire.ticketState(
    ticket,
    ({ active, connections }) => active && connections > before,
    'the upload has the image open',
  );
  return socket;
}

async function upload(wire: Wire, ticket: ImageTicket, offsetBytes: number, lengthBytes: number) {
  const bytes = newer.subarray(offsetBytes % sizeBytes).subarray(0, lengthBytes);
  await wire.client().write(ticket.id, bytes, offsetBytes);
  return { offsetBytes, lengthBytes, bytes };
}

async function uploadInChunks(wire: Wire, ticket: ImageTicket) {
  const bytes = newer.subarray(0, 2 * MiB);
  const head = ['Transfer-Encoding: chunked', 'Connection: close'];
  const body = `${bytes.length.toString(16)}\r\n${bytes.toString('latin1')}\r\n0\r\n\r\n`;
  const answer = parseAnswer(await wire.exchangeBytes(wire.request('PUT', ticket.path, head, body)));
  assert.equal(answer.status, 200);
  return { offsetBytes: 0, lengthBytes: bytes.length, bytes };
}

async function zero(wire: Wire, ticket: ImageTicket, offsetBytes: number, lengthBytes: number) {
  const range = { offsetBytes, lengthBytes };
  await wire.client().zero(ticket.id, range);
  return { ...range, bytes: Buffer.alloc(lengthBytes) };
}
