import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { truncate, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { MiB } from '../../src/base/units.js';
import { ImagesClient, UnexpectedStatusError } from './client.js';
import { assertSameImage, sha256OfFile, writeRandomImage, writeSparseImage } from './images.js';
import { TemporaryFolder } from './temporary-folder.js';

/** Runs `use` with a client of a server on a unix socket, which needs no certificates. */
async function withServer(
  handler: RequestListener,
  use: (client: ImagesClient, folder: TemporaryFolder, heads: IncomingMessage[]) => Promise<void>,
): Promise<void> {
  await using folder = await TemporaryFolder.create();
  const heads: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    heads.push(request);
    handler(request, response);
  });
  server.on('checkContinue', (request: IncomingMessage, response) => {
    if (request.url?.startsWith('/images/forbidden') === true) {
      response.writeHead(403, { Connection: 'close' }).end('no\n');
      return;
    }
    response.writeContinue();
    server.emit('request', request, response);
  });
  server.listen(folder.file('sock'));
  await once(server, 'listening');
  const client = new ImagesClient({ kind: 'unix', path: folder.file('sock') });
  try {
    await use(client, folder, heads);
  } finally {
    client.close();
    server.close();
  }
}

describe('images client', () => {
  test('uploads a file in ranges and flushes once at the end', async () => {
    const parts: Buffer[] = [];
    await withServer(
      (request, response) => {
        void buffer(request).then((body) => {
          if (request.method === 'PUT') parts.push(body);
          response.end();
        });
      },
      async (client, folder, heads) => {
        await writeRandomImage(folder.file('image'), 2 * MiB + 5);
        await client.upload('id', folder.file('image'), { chunkBytes: MiB });
        assert.deepEqual(
          heads.map(({ method, headers }) => [method, headers['content-range']]),
          [
            ['PUT', `bytes 0-${MiB - 1}/*`],
            ['PUT', `bytes ${MiB}-${2 * MiB - 1}/*`],
            ['PUT', `bytes ${2 * MiB}-${2 * MiB + 4}/*`],
            ['PATCH', undefined],
          ],
        );
        await writeFile(folder.file('arrived'), Buffer.concat(parts));
        await assertSameImage(folder.file('arrived'), folder.file('image'));
        assert.equal(await sha256OfFile(folder.file('arrived')), await sha256OfFile(folder.file('image')));
      },
    );
  });

  test('waits for the verdict when it sends Expect, and reports a refusal', async () => {
    await withServer(
      (request, response) => {
        request.resume().once('end', () => response.end());
      },
      async (client, folder) => {
        await writeRandomImage(folder.file('image'), MiB);
        await client.upload('allowed', folder.file('image'), { expectContinue: true });
        await assert.rejects(
          client.upload('forbidden', folder.file('image'), { expectContinue: true }),
          (error: unknown) => error instanceof UnexpectedStatusError && error.answer.status === 403,
        );
      },
    );
  });

  test('appends the rest of a download that was cut', async () => {
    await withServer(
      (request, response) => {
        const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
        response.writeHead(from === 0 ? 200 : 206).end('0123456789'.slice(from));
      },
      async (client, folder) => {
        await client.download('id', folder.file('whole'));
        await client.download('id', folder.file('resumed'));
        await truncate(folder.file('resumed'), 4);
        await client.download('id', folder.file('resumed'), 4);
        await assertSameImage(folder.file('resumed'), folder.file('whole'));
      },
    );
  });
});

describe('test images', () => {
  test('are equal for equal seeds, and a comparison names the first byte that differs', async () => {
    await using folder = await TemporaryFolder.create();
    const seed = Buffer.alloc(16, 7);
    const data = [{ offsetBytes: MiB, lengthBytes: 2 * MiB }];
    await writeSparseImage(folder.file('one'), 4 * MiB, data, seed);
    await writeSparseImage(folder.file('two'), 4 * MiB, data, seed);
    await assertSameImage(folder.file('one'), folder.file('two'));
    await writeSparseImage(
      folder.file('two'),
      4 * MiB,
      [{ offsetBytes: MiB, lengthBytes: 2 * MiB + 1 }],
      seed,
    );
    await assert.rejects(assertSameImage(folder.file('one'), folder.file('two')), {
      message: new RegExp(`at byte ${3 * MiB}$`),
    });
    await truncate(folder.file('two'), 3 * MiB);
    await assert.rejects(assertSameImage(folder.file('two'), folder.file('one')), /has 3145728 bytes/);
  });
});
