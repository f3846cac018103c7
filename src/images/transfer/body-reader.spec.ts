import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { serveBodies } from '../../../test/support/bodies-under-test.js';
import { InvalidRequestError } from '../../base/errors.js';
import { KiB, MiB } from '../../base/units.js';
import { BodyReader } from './body-reader.js';

async function readAll(body: BodyReader, targetBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  while (await body.arrival()) {
    const target = Buffer.alloc(targetBytes);
    const filledBytes = await body.fill(target);
    assert.ok(filledBytes > 0, 'something had arrived');
    parts.push(target.subarray(0, filledBytes));
  }
  return Buffer.concat(parts);
}

describe('a body reader', () => {
  for (const targetBytes of [1000, 64 * KiB, 3 * MiB]) {
    for (const isChunked of [false, true]) {
      const form = isChunked ? 'chunked ' : '';
      test(`gives every byte of a ${form}body in order, in buffers of ${targetBytes} bytes`, async () => {
        const sent = randomBytes(300_001);
        let read: Buffer | undefined;
        await using underTest = await serveBodies(async (body) => {
          read = await readAll(body, targetBytes);
          assert.equal(await body.arrival(), false, 'it stays at the end');
        });
        const client = await underTest.beginPut(
          isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${sent.length}`,
        );
        if (isChunked) await client.send(`${sent.length.toString(16)}\r\n`);
        await client.send(sent);
        if (isChunked) await client.send('\r\n0\r\n\r\n');
        assert.equal(await underTest.ended(), undefined);
        assert.ok(read?.equals(sent));
      });
    }
  }

  test('fills a buffer that arrives in parts when they come one after the other', async () => {
    await using underTest = await serveBodies(async (body) => {
      assert.equal(await body.arrival(), true);
      const target = Buffer.alloc(4);
      const filled = body.fill(target);
      await client.send('34');
      assert.equal(await filled, 4);
      assert.equal(target.toString(), '1234');
    });
    const client = await underTest.beginPut('Content-Length: 4');
    await client.send('12');
    assert.equal(await underTest.ended(), undefined);
  });

  test('gives what has arrived when nothing more comes for a moment', async () => {
    await using underTest = await serveBodies(async (body) => {
      assert.equal(await body.arrival(), true);
      const target = Buffer.alloc(5);
      assert.equal(await body.fill(target), 2);
      assert.equal(target.toString('latin1', 0, 2), 'ab');
    });
    const client = await underTest.beginPut('Content-Length: 5');
    await client.send('ab');
    assert.equal(await underTest.ended(), undefined);
  });

  test('reads nothing from the client while nobody asks it to', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using underTest = await serveBodies(async (body, { request, waitsForClient }) => {
      assert.equal(await body.arrival(), true);
      await gate.promise;
      assert.equal(waitsForClient, false);
      // One chunk of the socket is kept over, and the stream holds what it does by itself.
      assert.ok(request.socket.bytesRead < MiB, `${request.socket.bytesRead} bytes were read`);
      assert.equal((await readAll(body, MiB)).length, 32 * MiB);
    });
    const client = await underTest.beginPut(`Content-Length: ${32 * MiB}`);
    let isSent = false;
    const sent = client.send(Buffer.alloc(32 * MiB)).then(() => (isSent = true));
    await underTest.exchange();
    // Long enough for much more than a chunk to come.
    for (let turns = 0; turns < 1000; turns++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isSent, false);
    gate.resolve(undefined);
    await sent;
    assert.equal(await underTest.ended(), undefined);
  });

  test('tells the exchange when the client is waited for', async () => {
    await using underTest = await serveBodies(async (body, exchange) => {
      assert.equal(exchange.waitsForClient, false);
      const arrival = body.arrival();
      assert.equal(exchange.waitsForClient, true);
      await client.send('1');
      assert.equal(await arrival, true);
      assert.equal(exchange.waitsForClient, false);
      const filled = body.fill(Buffer.alloc(2));
      assert.equal(exchange.waitsForClient, true);
      await client.send('2');
      await filled;
      assert.equal(exchange.waitsForClient, false);
    });
    const client = await underTest.beginPut('Content-Length: 2');
    assert.equal(await underTest.ended(), undefined);
  });

  test('has nothing of an empty body', async () => {
    await using underTest = await serveBodies(async (body) => {
      assert.equal(await body.arrival(), false);
      assert.equal(body.broken, undefined);
    });
    await underTest.beginPut('Content-Length: 0');
    assert.equal(await underTest.ended(), undefined);
  });

  for (const [how, framing, body, more] of [
    ['whose client ends its side', 'Content-Length: 9', 'ab', 'cde'],
    ['whose framing is broken', 'Transfer-Encoding: chunked', '2\r\nab\r\n', '3\r\ncde\r\ngarbage\r\n'],
  ] as const) {
    test(`gives what arrived of a body ${how}, and then says that it is broken`, async () => {
      let text = '';
      await using underTest = await serveBodies(async (reader, { request }) => {
        assert.equal(await reader.arrival(), true);
        // It breaks while nobody reads.
        const broken = once(request, 'body-broken');
        await client.send(more);
        client.halfClose();
        await broken;
        text = (await readAll(reader, 2)).toString();
        assert.ok(reader.broken instanceof InvalidRequestError);
      });
      const client = await underTest.beginPut(framing);
      await client.send(body);
      assert.equal(await underTest.ended(), undefined);
      assert.equal(text, 'abcde');
    });

    test(`waits no more for a body of ${framing} that breaks`, async () => {
      await using underTest = await serveBodies(async (reader) => {
        assert.equal(await reader.arrival(), true);
        assert.equal(await reader.fill(Buffer.alloc(9)), 2);
        const arrival = reader.arrival();
        client.halfClose();
        assert.equal(await arrival, false);
        assert.ok(reader.broken instanceof InvalidRequestError);
      });
      const client = await underTest.beginPut(framing);
      await client.send(body);
      assert.equal(await underTest.ended(), undefined);
    });
  }
});
