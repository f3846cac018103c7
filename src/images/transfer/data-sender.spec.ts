import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import {
  aborted,
  ListenerUnderTest,
  type ListenerChanges,
} from '../../../test/support/listener-under-test.js';
import { eventually } from '../../../test/support/deadline.js';
import { Pki } from '../../../test/support/pki.js';
import { TemporaryFolder } from '../../../test/support/temporary-folder.js';
import type { RawSocket } from '../../../test/support/raw-socket.js';
import { ClientGoneError, ClientTimeoutError } from '../../base/errors.js';
import type { Exchange } from '../../wire/exchange.js';
import { KiB, MiB } from '../../base/units.js';
import { DataSender } from './data-sender.js';

/** More than the buffers of two sockets take. */
const hugeBytes = 32 * MiB;
const reason = new ClientTimeoutError('Client was silent');

/** Sends `lengthBytes` by what `send` does. */
function service(
  lengthBytes: number,
  send: (sender: DataSender, exchange: Exchange) => Promise<void>,
  changes: ListenerChanges = {},
): Promise<ListenerUnderTest> {
  return ListenerUnderTest.open(async (exchange) => {
    exchange.response.writeHead(200, { 'Content-Length': lengthBytes, Connection: 'close' });
    await send(new DataSender(exchange, { signal: exchange.signal, company: 'crowd' }), exchange);
  }, changes);
}

async function ask(underTest: ListenerUnderTest, ca = ''): Promise<RawSocket> {
  const client = await underTest.connect(ca);
  await client.sendHead('GET / HTTP/1.1', 'Host: localhost');
  return client;
}

/**
 * Sends all of a huge body to a client that does not read, and resolves when that is stuck.
 * @returns what becomes of it: undefined when it was sent
 */
async function stall(sender: DataSender, exchange: Exchange): Promise<{ readonly end: Promise<unknown> }> {
  const end = sender.send(Buffer.alloc(hugeBytes), true).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.equal(exchange.waitsForClient, true);
  await eventually(() => (sender.hasMoved() ? undefined : true), 'the client takes no more');
  return { end };
}

async function bodyOf(client: RawSocket): Promise<Buffer> {
  const answer = await client.readUntilClose();
  return answer.subarray(answer.indexOf('\r\n\r\n') + 4);
}

describe('a data sender', () => {
  for (const isTls of [false, true]) {
    test(`sends every byte in order${isTls ? ' over TLS, in steps' : ''}, ending with the last`, async () => {
      await using folder = await TemporaryFolder.create();
      const pki = await Pki.create(folder.path);
      const { keyPem, certPem } = await pki.issueHost('localhost');
      const tls = isTls ? { key: keyPem, cert: certPem, minVersion: 'TLSv1.2' as const } : undefined;
      const sent = randomBytes(300 * KiB + 1);
      await using underTest = await service(
        sent.length,
        async (sender) => {
          await sender.send(sent.subarray(0, 200_000), false);
          await sender.send(sent.subarray(200_000), true);
          await sender.finish();
        },
        { tls },
      );
      const client = await ask(underTest, pki.caPem);
      assert.ok((await bodyOf(client)).equals(sent));
      assert.equal(await underTest.ended(), undefined);
    });
  }

  test('keeps the memory of a piece until the kernel has taken all of it', async () => {
    await using underTest = await service(hugeBytes, async (sender, exchange) => {
      const { end } = await stall(sender, exchange);
      const stuck = Symbol('stuck');
      assert.equal(await Promise.race([end, Promise.resolve(stuck)]), stuck);
      client.resume();
      assert.equal(await end, undefined);
      assert.equal(sender.hasMoved(), true, 'the client is not waited for');
      await sender.finish();
    });
    const client = await underTest.connect();
    client.pause();
    await client.sendHead('GET / HTTP/1.1', 'Host: localhost');
    assert.equal(await underTest.ended(), undefined);
    assert.equal((await bodyOf(client)).length, hugeBytes);
  });

  test('is stopped by its signal at once, and has finished when the socket has let go', async () => {
    let isFinished = false;
    await using underTest = await service(hugeBytes, async (sender, exchange) => {
      const { end } = await stall(sender, exchange);
      exchange.abort(reason);
      assert.equal(await end, reason);
      const finished = sender.finish().then(() => (isFinished = true));
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(isFinished, false, 'the socket still reads from the memory');
      exchange.connection.destroy();
      await finished;
    });
    const client = await underTest.connect();
    client.pause();
    await client.sendHead('GET / HTTP/1.1', 'Host: localhost');
    assert.equal(await underTest.ended(), undefined);
    assert.equal(isFinished, true);
  });

  test('fails when its client goes, and has finished then', async () => {
    await using underTest = await service(hugeBytes, async (sender, exchange) => {
      const { end } = await stall(sender, exchange);
      client.reset();
      assert.ok((await end) instanceof ClientGoneError);
      await sender.finish();
    });
    const client = await underTest.connect();
    client.pause();
    await client.sendHead('GET / HTTP/1.1', 'Host: localhost');
    assert.equal(await underTest.ended(), undefined);
  });

  test('sends nothing once its client has gone', async () => {
    await using underTest = await service(1, async (sender, exchange) => {
      const closed = once(exchange.response, 'close');
      exchange.connection.destroy();
      await closed;
      await assert.rejects(sender.send(Buffer.alloc(1), true), ClientGoneError);
      await sender.finish();
    });
    await ask(underTest);
    assert.equal(await underTest.ended(), undefined);
  });

  test('sends nothing once it was stopped, and leaves no listener behind', async () => {
    await using underTest = await service(1, async (sender, exchange) => {
      const before = exchange.response.listenerCount('close');
      exchange.abort(reason);
      assert.equal(await aborted(exchange), reason);
      await assert.rejects(sender.send(Buffer.alloc(1), true), reason);
      await sender.finish();
      assert.equal(exchange.response.listenerCount('close'), before - 1);
      throw reason;
    });
    const client = await ask(underTest);
    await client.readUntilClose();
    assert.equal(await underTest.ended(), reason);
  });
});
