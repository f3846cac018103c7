import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { ListenerUnderTest, type Work } from '../../test/support/listener-under-test.js';
import { eventually, within } from '../../test/support/deadline.js';
import { KiB, MiB } from '../base/units.js';

const early: Work = (exchange) => {
  exchange.send(409, {}, 'no');
};

function head(lengthBytes: number): string[] {
  return ['PUT / HTTP/1.1', 'Host: localhost', `Content-Length: ${lengthBytes}`];
}

describe('a connection that lingers after an early answer', () => {
  test('lets the client read it while it still sends', async () => {
    await using service = await ListenerUnderTest.open(early);
    const client = await service.connect();
    await client.sendHead(...head(MiB));
    await client.readUntil('\r\n\r\nno');
    await client.send(Buffer.alloc(512 * KiB));
    await client.readUntilClose();
    assert.equal(client.error, undefined);
  });

  test('drops a bounded part of the rest, and then reads no more', async () => {
    const limits = { drainBytes: 64 * KiB, lingerSeconds: 60 };
    await using service = await ListenerUnderTest.open(early, { limits });
    const client = await service.connect();
    await client.sendHead(...head(64 * MiB));
    const { request } = await service.exchange();
    const sent = client.send(Buffer.alloc(64 * MiB)).catch(() => undefined);
    await eventually(() => (request.isPaused() ? true : undefined), 'it reads no more');
    const { socket } = request;
    // Chunks that were on their way are read; what the sockets hold is as much as the system wants.
    assert.ok(socket.bytesRead < MiB, `${socket.bytesRead} bytes were read`);
    client.close();
    await sent;
  });

  test('is closed as soon as the client has closed', async () => {
    await using service = await ListenerUnderTest.open(early, { limits: { lingerSeconds: 3600 } });
    const client = await service.connect();
    await client.sendHead(...head(5));
    await client.readUntilClose();
    const { request, connection } = await service.exchange();
    assert.equal(connection.lingering, true);
    assert.equal(connection.closed, false);
    const closed = once(request.socket, 'close');
    client.halfClose();
    await within(closed, 'the close');
  });

  test('is closed after its time, though the client stays', async () => {
    await using service = await ListenerUnderTest.open(early, { limits: { lingerSeconds: 0.1 } });
    const client = await service.connect();
    await client.sendHead(...head(5));
    const { request } = await service.exchange();
    await within(once(request.socket, 'close'), 'the close');
  });

  test('is closed at once when the client had ended its side before', async () => {
    await using service = await ListenerUnderTest.open(
      async (exchange) => {
        exchange.request.resume();
        await once(exchange.request, 'body-broken');
        assert.equal(exchange.connection.halfClosed, true);
        exchange.send(409);
      },
      { limits: { lingerSeconds: 3600 } },
    );
    const client = await service.connect();
    await client.sendHead(...head(5));
    const { request } = await service.exchange();
    const closed = once(request.socket, 'close');
    client.halfClose();
    await within(closed, 'the close');
    assert.match((await client.readUntilClose()).toString('latin1'), /^HTTP\/1\.1 409 /);
  });
});
