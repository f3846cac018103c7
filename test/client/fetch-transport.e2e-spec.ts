import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FetchTransport, TransferError } from '#sdk/transfer';
import { readText } from '#sdk/transfer/http';

const silenceSeconds = 0.5;
const never = new AbortController().signal;

/** Sends one request to a server that answers as it is told. @returns the text of the answer */
async function askOf(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const transport = new FetchTransport(`http://127.0.0.1:${port}`, { silenceSeconds });
  try {
    return await readText(await transport.send({ method: 'GET', path: '/' }, never));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const isSilence = (error: unknown): boolean =>
  error instanceof TransferError &&
  error.details.retryable &&
  /was silent for 0.5 seconds/.test(error.message);

describe('a transport by fetch', () => {
  test('gives up a service that does not answer', async () => {
    await assert.rejects(
      askOf(() => undefined),
      isSilence,
    );
  });

  test('gives up a service that is silent in the middle of its answer', async () => {
    await assert.rejects(
      askOf((_request, response) => response.write('beginning')),
      isSilence,
    );
  });

  test('waits for an answer that comes slowly, for longer than a service may be silent', async () => {
    async function* slowly(): AsyncGenerator<string> {
      for (let part = 0; part < 8; part += 1) {
        yield 'x';
        await sleep(silenceSeconds * 250);
      }
    }
    const text = await askOf((_request, response) => {
      Readable.from(slowly()).pipe(response);
    });
    assert.equal(text, 'x'.repeat(8));
  });

  test('tells of a connection that broke', async () => {
    await assert.rejects(
      askOf((request) => request.socket.destroy()),
      /The service cannot be reached/,
    );
  });
});
