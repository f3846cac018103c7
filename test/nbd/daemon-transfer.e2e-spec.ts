import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { after, before, describe, test } from 'node:test';

import { KiB, MiB } from '../../src/base/units.js';
import { imagePath } from '../support/client.js';
import { freePort } from '../support/free-port.js';
import { assertSameImage, writeRandomImage } from '../support/images.js';
import { pattern } from './images.js';
import { NbdDaemon } from './nbd-daemon.js';
import { missing, runProgram } from './servers.js';

const sizeBytes = 3 * MiB;

describe(
  'the daemon with tickets for NBD exports',
  { skip: missing('qemu-nbd', 'qemu-img', 'nbdkit') },
  () => {
    let daemon: NbdDaemon;
    before(async () => {
      daemon = await NbdDaemon.start();
    });
    after(async () => {
      await daemon[Symbol.asyncDispose]();
    });

    /** A new raw image on a qemu-nbd, and the path of its file. */
    async function rawExport(...args: readonly string[]) {
      const file = daemon.workspace.path(randomUUID());
      await writeFile(file, '');
      await truncate(file, sizeBytes);
      return { file, server: await daemon.workspace.qemuNbd('--format=raw', ...args, file) };
    }

    async function assertMovesImages(url: string, listener: 'remote' | 'local'): Promise<void> {
      const [source, copy] = [daemon.workspace.path('source'), daemon.workspace.path('copy')];
      await writeRandomImage(source, sizeBytes);
      const id = await daemon.addTicket(url, sizeBytes);
      const client = daemon.client(listener);
      await client.upload(id, source, { chunkBytes: 2 * MiB });
      await client.download(id, copy);
      await assertSameImage(copy, source);
      const info = await daemon.ticketState(id, ({ active }) => !active, 'the download has ended');
      assert.equal(info.transferred, sizeBytes);
      assert.equal(await daemon.removeTicket(id), 204);
    }

    for (const listener of ['remote', 'local'] as const) {
      test(`uploads and downloads what nbd:unix names, over the ${listener} listener`, async () => {
        const { file, server } = await rawExport();
        await assertMovesImages(server.url, listener);
        await assertSameImage(file, daemon.workspace.path('source'));
      });
    }

    test('uploads and downloads named exports of unix sockets, by both forms of url', async () => {
      const { server } = await rawExport('--export-name=my disk');
      await assertMovesImages(`${server.url}:exportname=my disk`, 'remote');
      await assertMovesImages(`nbd+unix:///my%20disk?socket=${server.socketPath}`, 'remote');
    });

    test('uploads and downloads exports of TCP servers, by each form of url', async () => {
      const port = await freePort();
      await daemon.workspace.nbdkitOnPort(port, 'memory', `${sizeBytes}`);
      for (const url of [
        `nbd:127.0.0.1:${port}`,
        `nbd:localhost:${port}:exportname=sda`,
        `nbd://127.0.0.1:${port}/sda`,
        `nbd://localhost:${port}`,
      ]) {
        await assertMovesImages(url, 'remote');
      }
    });

    test(
      'uploads and downloads exports of IPv6 servers',
      {
        skip: hasIpv6() ? false : 'the loopback interface of this machine has no IPv6 address',
      },
      async () => {
        const port = await freePort('::1');
        await daemon.workspace.nbdkitAt('::1', port, 'memory', `${sizeBytes}`);
        await assertMovesImages(`nbd:[::1]:${port}:exportname=sda`, 'remote');
        await assertMovesImages(`nbd://[::1]:${port}/sda`, 'remote');
      },
    );

    test('says what an export can do: eight readers and writers', async () => {
      const { server } = await rawExport();
      const capabilities = await daemon.client().capabilities(await daemon.addTicket(server.url, sizeBytes));
      assert.deepEqual([capabilities.max_readers, capabilities.max_writers], [8, 8]);
      assert.deepEqual([...capabilities.features].sort(), ['checksum', 'extents', 'flush', 'zero']);
    });

    for (const blockBytes of [1, 4096]) {
      test(`writes, zeroes and reads at any alignment on blocks of ${blockBytes} bytes`, async () => {
        const server = await daemon.workspace.nbdkit(
          ...['--filter=blocksize-policy', 'memory', `${sizeBytes}`],
          ...[`blocksize-minimum=${blockBytes}`, 'blocksize-preferred=4096', 'blocksize-error-policy=error'],
        );
        const id = await daemon.addTicket(server.url, sizeBytes, { sparse: true });
        const client = daemon.client();
        const model = pattern(sizeBytes);
        await client.write(id, model, 0);
        for (const [offsetBytes, lengthBytes] of [
          [1, 1],
          [511, 2],
          [4095, 8194],
          [MiB - 1, MiB + 2],
          [sizeBytes - 7, 7],
        ] as const) {
          const range = { offsetBytes, lengthBytes };
          const source = pattern(lengthBytes, offsetBytes);
          await client.write(id, source, offsetBytes, true);
          source.copy(model, offsetBytes);
          await client.zero(id, { offsetBytes: offsetBytes + 3, lengthBytes: lengthBytes >> 1 }, true);
          model.fill(0, offsetBytes + 3, offsetBytes + 3 + (lengthBytes >> 1));
          const expected = model.subarray(offsetBytes, offsetBytes + lengthBytes);
          assert.ok((await client.read(id, range)).equals(expected));
        }
        await client.flush(id);
        assert.ok((await client.read(id, { offsetBytes: 0, lengthBytes: sizeBytes })).equals(model));
      });
    }

    test('deallocates what a sparse ticket zeroes, and keeps it allocated for another', async () => {
      const { file, server } = await rawExport('--discard=unmap');
      const allocatedBytes = async () => Number(await runProgram('stat', '--format=%b', file)) * 512;
      const client = daemon.client();
      const whole = { offsetBytes: 0, lengthBytes: sizeBytes };
      const thick = await daemon.addTicket(server.url, sizeBytes, { sparse: false });
      await client.write(thick, pattern(sizeBytes), 0, true);
      await client.zero(thick, whole, true);
      assert.ok((await client.read(thick, whole)).equals(Buffer.alloc(sizeBytes)));
      assert.ok((await allocatedBytes()) >= sizeBytes);
      const thin = await daemon.addTicket(server.url, sizeBytes, { sparse: true });
      await client.zero(thin, whole, true);
      assert.ok((await client.read(thin, whole)).equals(Buffer.alloc(sizeBytes)));
      assert.ok((await allocatedBytes()) < 64 * KiB);
    });

    describe('with an export smaller than the ticket', () => {
      test('answers 416 with the size of the export to what is past it, and changes nothing', async () => {
        const { server } = await rawExport();
        const id = await daemon.addTicket(server.url, 2 * sizeBytes);
        const client = daemon.client();
        const zero = { op: 'zero', offset: sizeBytes - 1, size: 2 };
        for (const answer of [
          await client.request('GET', imagePath(id), { headers: { Range: `bytes=0-${sizeBytes}` } }),
          await client.request('GET', imagePath(id), { headers: { Range: `bytes=${sizeBytes}-` } }),
          await client.request('PUT', imagePath(id), {
            headers: { 'Content-Range': `bytes ${sizeBytes - 1}-${sizeBytes}/*` },
            body: pattern(2),
          }),
          await client.request('PATCH', imagePath(id), { body: JSON.stringify(zero) }),
        ]) {
          assert.equal(answer.status, 416);
          assert.equal(answer.headers['content-range'], `bytes */${sizeBytes}`);
        }
        const whole = await client.request('GET', imagePath(id));
        assert.equal(whole.status, 200);
        assert.ok(whole.body.equals(Buffer.alloc(sizeBytes)));
      });
    });

    describe('that cannot be had', () => {
      /** All that opens the image fails alike, with a reason but nothing of the url. */
      async function assertRefused(url: string, reason: RegExp): Promise<void> {
        const id = await daemon.addTicket(url, sizeBytes);
        const client = daemon.client();
        for (const answer of [
          await client.request('GET', imagePath(id)),
          await client.request('PUT', imagePath(id), { body: pattern(10) }),
          await client.request('PATCH', imagePath(id), { body: '{"op":"flush"}' }),
          await client.request('GET', `${imagePath(id)}/extents`),
          await client.request('OPTIONS', imagePath(id)),
        ]) {
          assert.equal(answer.status, 500, answer.text);
          assert.match(answer.text, reason);
          assert.ok(!answer.text.includes(daemon.workspace.folder) && !answer.text.includes('no-such'));
        }
        assert.equal(await daemon.removeTicket(id), 204);
      }

      test('answers 500 where there is no server', async () => {
        await assertRefused(`nbd:unix:${daemon.workspace.path('no-such-socket')}`, /storage server/);
        await assertRefused(`nbd:127.0.0.1:${await freePort()}`, /storage server/);
      });

      test('answers 500 where the server has no such export', async () => {
        const { server } = await rawExport('--export-name=sda');
        await assertRefused(`${server.url}:exportname=no-such-export`, /no export of this name/);
      });

      test('answers 500 to a ticket for writing to a read-only export, and serves a reader', async () => {
        const { server } = await rawExport('--read-only');
        await assertRefused(server.url, /read-only/);
        const id = await daemon.addTicket(server.url, sizeBytes, { ops: ['read'] });
        const client = daemon.client();
        assert.equal((await client.request('GET', imagePath(id))).body.length, sizeBytes);
        assert.equal((await client.request('PUT', imagePath(id), { body: pattern(1) })).status, 403);
      });
    });
  },
);

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address === '::1'),
  );
}
