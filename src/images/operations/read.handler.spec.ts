import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { bufferBytes, ImageUnderTest } from '../../../test/support/image-under-test.js';
import { ListenerUnderTest } from '../../../test/support/listener-under-test.js';
import { MemoryBackend } from '../../../test/support/memory-backend.js';
import type { RawSocket } from '../../../test/support/raw-socket.js';
import { eventually, within } from '../../../test/support/deadline.js';
import {
  ClientGoneError,
  NotAllowedError,
  RangeNotSatisfiableError,
  StorageError,
} from '../../base/errors.js';
import { MiB, type ByteRange } from '../../base/units.js';
import type { QueryValues } from './image-handler.js';

/** Some of its reads fail. */
class FailingBackend extends MemoryBackend {
  fails: (range: ByteRange) => boolean = () => true;

  override async read(buffer: Uint8Array, range: ByteRange): Promise<Uint8Array> {
    if (this.fails(range)) throw new StorageError('The disk is away');
    return super.read(buffer, range);
  }
}

async function serve(image: ImageUnderTest, query: QueryValues = {}): Promise<ListenerUnderTest> {
  return ListenerUnderTest.open((exchange) =>
    image.reading.handle(exchange, { ticketId: 'id-1', query, parameters: {} }),
  );
}

async function ask(service: ListenerUnderTest, method = 'GET', ...headers: string[]): Promise<RawSocket> {
  const client = await service.connect();
  await client.sendHead(`${method} / HTTP/1.1`, 'Host: localhost', ...headers);
  return client;
}

/** The head and what of the body is there, once that has `lengthBytes`. */
async function answer(client: RawSocket, lengthBytes: number): Promise<{ head: string; body: Buffer }> {
  const end = (await client.readUntil('\r\n\r\n')).indexOf('\r\n\r\n') + 4;
  const bytes = await client.readAtLeast(end + lengthBytes);
  return { head: bytes.toString('latin1', 0, end), body: bytes.subarray(end) };
}

describe('reading an image', () => {
  for (const [what, range, offsetBytes, lengthBytes] of [
    ['a range', '12345-600000', 12_345, 587_656],
    ['a range without an end', `${MiB - 5}-`, MiB - 5, 5],
    ['a suffix', `-${bufferBytes + 1}`, MiB - bufferBytes - 1, bufferBytes + 1],
  ] as const) {
    test(`sends ${what}, says which, and has given back its buffers`, async () => {
      const backend = new MemoryBackend(randomBytes(MiB));
      const image = await ImageUnderTest.of(backend);
      await using service = await serve(image);
      const { head, body } = await answer(await ask(service, 'GET', `Range: bytes=${range}`), lengthBytes);
      assert.match(head, /^HTTP\/1\.1 206 /);
      assert.ok(head.includes(`bytes ${offsetBytes}-${offsetBytes + lengthBytes - 1}/${MiB}`));
      assert.ok(body.equals(backend.content.subarray(offsetBytes, offsetBytes + lengthBytes)));
      assert.equal(await service.ended(), undefined);
      assert.equal(image.buffersInUse, 0);
    });
  }

  test('sends all there is of an image that is smaller than its ticket', async () => {
    const backend = new MemoryBackend(randomBytes(1000));
    await using service = await serve(await ImageUnderTest.of(backend));
    const { head, body } = await answer(await ask(service), 1000);
    assert.match(head, /^HTTP\/1\.1 200 [^]*Content-Length: 1000\r\n/);
    assert.ok(body.equals(backend.content));
  });

  test('sends no more than the ticket has of an image that is larger', async () => {
    const backend = new MemoryBackend(randomBytes(MiB));
    await using service = await serve(await ImageUnderTest.of(backend, { size: 1000n }), { close: 'y' });
    const client = await ask(service);
    await client.readUntilClose();
    assert.ok((await answer(client, 1000)).body.equals(backend.content.subarray(0, 1000)));
  });

  test('reads nothing from storage for HEAD, nor for an empty image', async () => {
    for (const [method, sizeBytes] of [
      ['HEAD', MiB],
      ['GET', 0],
    ] as const) {
      const backend = new FailingBackend(Buffer.alloc(sizeBytes));
      await using service = await serve(await ImageUnderTest.of(backend), { close: 'y' });
      const client = await ask(service, method);
      const text = (await client.readUntilClose()).toString('latin1');
      assert.match(text, new RegExp(`^HTTP/1\\.1 200 [^]*Content-Length: ${sizeBytes}\r\n[^]*\r\n\r\n$`));
    }
  });

  test('refuses a range that the ticket does not have before it opens the image', async () => {
    const image = await ImageUnderTest.of(new MemoryBackend(Buffer.alloc(MiB)));
    await using service = await serve(image);
    await (await ask(service, 'GET', `Range: bytes=${MiB}-`)).readUntil('HTTP/1.1 416');
    assert.ok((await service.ended()) instanceof RangeNotSatisfiableError);
    assert.equal((await service.exchange()).logFields['backend'], undefined);
  });
});

describe('reading an image that fails', () => {
  test('before the first byte has a status of its own', async () => {
    const backend = new FailingBackend(Buffer.alloc(MiB));
    const image = await ImageUnderTest.of(backend);
    await using service = await serve(image);
    await (await ask(service)).readUntil('HTTP/1.1 500');
    assert.ok((await service.ended()) instanceof StorageError);
    assert.equal(image.buffersInUse, 0);
  });

  test('in the middle is cut, so that the client sees a short body', async () => {
    const backend = new FailingBackend(Buffer.alloc(MiB));
    backend.fails = ({ offsetBytes }) => offsetBytes >= 3 * bufferBytes;
    const image = await ImageUnderTest.of(backend);
    await using service = await serve(image);
    const client = await ask(service);
    const bytes = await client.readUntilClose();
    assert.ok(bytes.length < MiB);
    assert.ok(!bytes.includes('HTTP/1.1 500'));
    assert.ok((await service.ended()) instanceof StorageError);
    assert.equal(image.buffersInUse, 0);
  });

  for (const [what, stop, expected] of [
    [
      'client goes',
      (client: RawSocket) => {
        client.reset();
      },
      ClientGoneError,
    ],
    [
      'ticket is removed',
      (_client: RawSocket, image: ImageUnderTest) => image.tickets.remove('id-1'),
      NotAllowedError,
    ],
  ] as const) {
    test(`gives back a buffer only when storage has let go of it, though its ${what}`, async () => {
      const gate = Promise.withResolvers<undefined>();
      const backend = new MemoryBackend(Buffer.alloc(MiB));
      backend.gate = gate.promise.then(() => undefined);
      const image = await ImageUnderTest.of(backend);
      await using service = await serve(image);
      const client = await ask(service);
      const { signal } = await service.exchange();
      const isAborted = new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      while (image.buffersInUse < 3) await new Promise((resolve) => setImmediate(resolve));
      const stopped = stop(client, image);
      await within(isAborted, 'the read to be stopped');
      assert.equal(image.buffersInUse, 3);
      gate.resolve(undefined);
      assert.ok((await service.ended()) instanceof expected);
      assert.equal(image.buffersInUse, 0);
      await stopped;
    });
  }

  test('ends only when the reads ahead of the failed one have', async () => {
    const gate = Promise.withResolvers<undefined>();
    const backend = new FailingBackend(Buffer.alloc(MiB));
    backend.gate = gate.promise.then(() => undefined);
    backend.fails = ({ offsetBytes }) => offsetBytes === 0;
    const image = await ImageUnderTest.of(backend);
    await using service = await serve(image);
    await ask(service);
    await service.exchange();
    for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(image.buffersInUse, 3);
    gate.resolve(undefined);
    assert.ok((await service.ended()) instanceof StorageError);
    assert.equal(image.buffersInUse, 0);
  });

  test('ends when its ticket is removed, though its client takes nothing', async () => {
    const sizeBytes = 32 * MiB;
    const image = await ImageUnderTest.of(new MemoryBackend(Buffer.alloc(sizeBytes)), {
      size: BigInt(sizeBytes),
    });
    await using service = await serve(image);
    const client = await service.connect();
    client.pause();
    await client.sendHead('GET / HTTP/1.1', 'Host: localhost');
    const { response } = await service.exchange();
    await eventually(() => (response.writableNeedDrain ? true : undefined), 'the client takes no more');
    await image.tickets.remove('id-1');
    assert.ok((await service.ended()) instanceof NotAllowedError);
    assert.equal(image.buffersInUse, 0);
  });
});
