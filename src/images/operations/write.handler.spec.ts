import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { bufferBytes, ImageUnderTest } from '../../../test/support/image-under-test.js';
import { ListenerUnderTest } from '../../../test/support/listener-under-test.js';
import { MemoryBackend } from '../../../test/support/memory-backend.js';
import { eventually, within } from '../../../test/support/deadline.js';
import {
  ClientGoneError,
  InvalidRequestError,
  NoSpaceError,
  NotAllowedError,
  RangeNotSatisfiableError,
} from '../../base/errors.js';
import { MiB } from '../../base/units.js';
import type { QueryValues } from './image-handler.js';

/** Tells what is done to it, and can be made to wait and to fail. */
class WatchedBackend extends MemoryBackend {
  readonly calls: string[] = [];
  writing: () => Promise<void> = () => Promise.resolve();

  override async write(source: Uint8Array, offsetBytes: number): Promise<void> {
    this.calls.push('write');
    await this.writing();
    await super.write(source, offsetBytes);
  }

  override async flush(): Promise<void> {
    this.calls.push('flush');
  }
}

async function serve(image: ImageUnderTest, query: QueryValues = { flush: 'n' }): Promise<ListenerUnderTest> {
  return ListenerUnderTest.open((exchange) =>
    image.writing.handle(exchange, { ticketId: 'id-1', query, parameters: {} }),
  );
}

describe('writing an image', () => {
  for (const offsetBytes of [0, 4096, 12_345]) {
    test(`changes the bytes of its range at ${offsetBytes} and no others`, async () => {
      const backend = new WatchedBackend(Buffer.alloc(MiB, 1));
      const image = await ImageUnderTest.of(backend);
      await using service = await serve(image);
      const data = randomBytes(3 * bufferBytes + 7);
      const client = await service.beginPut(
        `Content-Length: ${data.length}`,
        `Content-Range: bytes ${offsetBytes}-${offsetBytes + data.length - 1}/*`,
      );
      await client.send(data);
      await client.readUntil('HTTP/1.1 200');
      const expected = Buffer.alloc(MiB, 1);
      data.copy(expected, offsetBytes);
      assert.ok(backend.content.equals(expected));
      assert.ok(!backend.calls.includes('flush'), 'nobody asked for that');
      assert.equal(await service.ended(), undefined);
      assert.equal(image.buffersInUse, 0);
    });
  }

  test('answers when all is flushed, if it was asked to', async () => {
    const backend = new WatchedBackend(Buffer.alloc(MiB));
    await using service = await serve(await ImageUnderTest.of(backend), { flush: 'y' });
    const client = await service.beginPut('Content-Length: 5');
    await client.send('12345');
    await client.readUntil('HTTP/1.1 200');
    assert.deepEqual(backend.calls, ['write', 'flush']);
  });

  test('answers only when storage has all of it', async () => {
    const gate = Promise.withResolvers<undefined>();
    const backend = new WatchedBackend(Buffer.alloc(MiB));
    backend.writing = () => gate.promise;
    await using service = await serve(await ImageUnderTest.of(backend));
    const client = await service.beginPut('Content-Length: 5');
    await client.send('12345');
    await eventually(() => (backend.calls.length === 1 ? true : undefined), 'it is written');
    assert.equal(client.received.length, 0);
    gate.resolve(undefined);
    await client.readUntil('HTTP/1.1 200');
  });

  test('reads no more from its client than it has buffers for while storage is slow', async () => {
    const gate = Promise.withResolvers<undefined>();
    const backend = new WatchedBackend(Buffer.alloc(32 * MiB));
    backend.writing = () => gate.promise;
    const image = await ImageUnderTest.of(backend, { size: BigInt(32 * MiB) });
    await using service = await serve(image);
    const client = await service.beginPut(`Content-Length: ${32 * MiB}`);
    const sent = client.send(Buffer.alloc(32 * MiB));
    await eventually(() => (backend.calls.length === 3 ? true : undefined), 'all buffers are full');
    const { request } = await service.exchange();
    await eventually(() => (request.isPaused() ? true : undefined), 'it reads no more');
    assert.ok(request.socket.bytesRead < 2 * MiB, `${request.socket.bytesRead} bytes were read`);
    gate.resolve(undefined);
    await sent;
    await client.readUntil('HTTP/1.1 200');
  });

  test('refuses what is past the image before it asks for the body', async () => {
    const image = await ImageUnderTest.of(new WatchedBackend(Buffer.alloc(1000)));
    await using service = await serve(image);
    const client = await service.beginPut('Content-Length: 1001', 'Expect: 100-continue');
    assert.match((await client.readUntil('\r\n\r\n')).toString('latin1'), /^HTTP\/1\.1 416 /);
    assert.ok((await service.ended()) instanceof RangeNotSatisfiableError);
  });

  test('refuses whoever may only read', async () => {
    const image = await ImageUnderTest.of(new WatchedBackend(Buffer.alloc(MiB)), { ops: ['read'] });
    await using service = await serve(image);
    await (await service.beginPut('Content-Length: 5')).readUntil('HTTP/1.1 403');
    assert.ok((await service.ended()) instanceof NotAllowedError);
  });

  test('writes a chunked body to the end of its ticket and refuses the byte after that', async () => {
    const backend = new WatchedBackend(Buffer.alloc(MiB));
    await using service = await serve(await ImageUnderTest.of(backend, { size: 5n }));
    const client = await service.beginPut('Transfer-Encoding: chunked');
    await client.send('6\r\n123456\r\n0\r\n\r\n');
    await client.readUntil('HTTP/1.1 4');
    assert.equal(backend.content.toString('latin1', 0, 6), '12345\0');
  });
});

describe('writing an image that fails', () => {
  test('for want of space answers so while the client still sends', async () => {
    const backend = new WatchedBackend(Buffer.alloc(32 * MiB));
    backend.writing = () => Promise.reject(new NoSpaceError());
    const image = await ImageUnderTest.of(backend, { size: BigInt(32 * MiB) });
    await using service = await serve(image);
    const client = await service.beginPut(`Content-Length: ${32 * MiB}`);
    const sent = client.send(Buffer.alloc(16 * MiB)).catch(() => undefined);
    await client.readUntil('HTTP/1.1 507');
    client.close();
    await sent;
    await service.ended();
    assert.equal(image.buffersInUse, 0);
  });

  test('answers so at once, though its client pauses in the middle of the body', async () => {
    const backend = new WatchedBackend(Buffer.alloc(MiB));
    backend.writing = () => Promise.reject(new NoSpaceError());
    const image = await ImageUnderTest.of(backend);
    await using service = await serve(image);
    const client = await service.beginPut(`Content-Length: ${MiB}`);
    await client.send(Buffer.alloc(4096));
    await client.readUntil('HTTP/1.1 507');
    client.close();
    await service.ended();
    assert.equal(image.buffersInUse, 0);
  });

  test('with its last byte is no success', async () => {
    const backend = new WatchedBackend(Buffer.alloc(MiB));
    backend.writing = () => Promise.reject(new NoSpaceError());
    await using service = await serve(await ImageUnderTest.of(backend));
    const client = await service.beginPut('Content-Length: 5', 'Expect: 100-continue');
    await client.readUntil('HTTP/1.1 100');
    await client.send('12345');
    await client.readUntil('HTTP/1.1 507');
  });

  test('because its client ends its side has written what came', async () => {
    const backend = new WatchedBackend(Buffer.alloc(MiB));
    await using service = await serve(await ImageUnderTest.of(backend));
    const client = await service.beginPut('Content-Length: 10');
    await client.send('12345');
    client.halfClose();
    await client.readUntil('HTTP/1.1 400');
    assert.ok((await service.ended()) instanceof InvalidRequestError);
    assert.equal(backend.content.toString('latin1', 0, 6), '12345\0');
  });

  test('because its client goes has ended only when storage has', async () => {
    const gate = Promise.withResolvers<undefined>();
    const backend = new WatchedBackend(Buffer.alloc(MiB));
    backend.writing = () => gate.promise;
    const image = await ImageUnderTest.of(backend);
    await using service = await serve(image);
    const client = await service.beginPut('Content-Length: 10');
    await client.send('12345');
    await eventually(() => (backend.calls.length === 1 ? true : undefined), 'it is written');
    const { signal } = await service.exchange();
    const isAborted = new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
    });
    client.reset();
    await within(isAborted, 'the write to be stopped');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(image.buffersInUse, 1);
    assert.equal((await image.tickets.info('id-1')).active, true);
    gate.resolve(undefined);
    assert.ok((await service.ended()) instanceof ClientGoneError);
    assert.equal(image.buffersInUse, 0);
    assert.equal((await image.tickets.info('id-1')).active, false);
  });
});
