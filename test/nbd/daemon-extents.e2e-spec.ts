import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { KiB, MiB } from '../../src/base/units.js';
import { imagePath, type ImagesClient, type WireExtent } from '../support/client.js';
import { within } from '../support/deadline.js';
import { pattern } from './images.js';
import { NbdDaemon, promptMs } from './nbd-daemon.js';
import { missing, runProgram } from './servers.js';

const TiB = 1024 * 1024 * MiB;
const clusterBytes = 64 * KiB;
/** Far less than the list of extents or what it is made from, times the number of lists. */
const growthBytesMax = 48 * MiB;

describe('extents of NBD exports', { skip: missing('qemu-nbd', 'qemu-img', 'qemu-io') }, () => {
  let daemon: NbdDaemon;
  let client: ImagesClient;
  /** A raw image of as many pieces of data, and as many holes. */
  let manyPath: string;
  const manyPieces = 50_000;
  before(async () => {
    daemon = await NbdDaemon.start();
    client = daemon.client();
    manyPath = writeSpread('many', manyPieces, 4 * KiB, 8 * KiB);
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
  });

  /** A raw image with pieces of data at equal distances, as large as the last one's distance needs. */
  function writeSpread(name: string, count: number, pieceBytes: number, distanceBytes: number): string {
    const path = daemon.workspace.path(name);
    const piece = pattern(pieceBytes);
    const file = openSync(path, 'w');
    try {
      ftruncateSync(file, count * distanceBytes);
      for (let index = 0; index < count; index += 1) {
        writeSync(file, piece, 0, pieceBytes, index * distanceBytes);
      }
    } finally {
      closeSync(file);
    }
    return path;
  }

  async function qcow2Of(path: string, ...options: readonly string[]): Promise<string> {
    await runProgram(
      'qemu-img',
      ...['convert', '-t', 'unsafe', '-f', 'raw', '-O', 'qcow2', ...options, path, `${path}.qcow2`],
    );
    return `${path}.qcow2`;
  }

  /** The most memory that the daemon needed beyond what it had before. */
  async function growthOf(work: () => Promise<void>): Promise<number> {
    const before = daemon.service.program.residentBytes;
    await work();
    return daemon.service.program.residentBytesMax - before;
  }

  test('end where the ticket ends, in both contexts', async () => {
    const path = daemon.workspace.path('bounds.qcow2');
    await runProgram('qemu-img', 'create', '-q', '-f', 'qcow2', path, '1M');
    await runProgram('qemu-img', 'bitmap', '--add', path, 'since');
    for (const at of ['0', '128k', '1020k']) {
      await runProgram('qemu-io', '-f', 'qcow2', '-c', `write -P 1 ${at} 4k`, path);
    }
    const server = await daemon.workspace.qemuNbd('--read-only', '--format=qcow2', '--bitmap=since', path);
    for (const size of [0, 1, 4096, clusterBytes + 1, MiB, 2 * MiB]) {
      const id = await daemon.addTicket(server.url, size, { ops: ['read'], dirty: true });
      const { body } = await client.request('GET', imagePath(id));
      assert.equal(body.length, Math.min(size, MiB));
      for (const context of ['zero', 'dirty'] as const) {
        let end = 0;
        for (const { start, length } of await client.extents(id, context)) {
          assert.equal(start, end);
          assert.ok(length > 0);
          end += length;
        }
        assert.equal(end, body.length, `${context} extents of a ticket of ${size} bytes`);
      }
    }
  });

  test('are holes only where a layer of a qcow2 chain has nothing', async () => {
    const [base, top] = [daemon.workspace.path('base'), daemon.workspace.path('top')];
    const create = ['create', '-q', '-f', 'qcow2'];
    await runProgram('qemu-img', ...create, base, '1M');
    await runProgram('qemu-io', '-f', 'qcow2', '-c', 'write -P 1 0 128k', base);
    await runProgram('qemu-img', ...create, '-b', base, '-F', 'qcow2', top);
    await runProgram('qemu-io', '-f', 'qcow2', '-c', 'write -P 2 64k 64k', '-c', 'write -z 128k 64k', top);
    const layer = {
      driver: 'qcow2',
      file: { driver: 'file', filename: top },
      backing: null,
    };
    const extent = (start: number, end: number, zero: boolean, hole: boolean): WireExtent => ({
      start: start * clusterBytes,
      length: (end - start) * clusterBytes,
      zero,
      hole,
    });
    for (const [image, expected] of [
      [
        ['--format=qcow2', top],
        [extent(0, 2, false, false), extent(2, 3, true, false), extent(3, 16, true, true)],
      ],
      [
        [`json:${JSON.stringify(layer)}`],
        [
          extent(0, 1, true, true),
          extent(1, 2, false, false),
          extent(2, 3, true, false),
          extent(3, 16, true, true),
        ],
      ],
    ] as const) {
      const server = await daemon.workspace.qemuNbd('--read-only', '--allocation-depth', ...image);
      const id = await daemon.addTicket(server.url, MiB, { ops: ['read'] });
      assert.deepEqual(await client.extents(id), expected);
      assert.equal((await client.request('GET', `${imagePath(id)}/extents?context=dirty`)).status, 404);
    }
  });

  test('are a hundred thousand without a bump of memory, and control answers meanwhile', async (t) => {
    const path = await qcow2Of(manyPath, '-o', 'cluster_size=4096');
    const server = await daemon.workspace.qemuNbd('--read-only', '--format=qcow2', path);
    const id = await daemon.addTicket(server.url, manyPieces * 8 * KiB, { ops: ['read'] });
    const list = async (): Promise<void> => {
      const begun = performance.now();
      const extents = await client.extents(id);
      t.diagnostic(`${extents.length} extents in ${Math.round(performance.now() - begun)} ms`);
      assert.equal(extents.length, 2 * manyPieces);
      for (const [index, { start, length, zero }] of extents.entries()) {
        assert.ok(start === index * 4 * KiB && length === 4 * KiB && zero === (index % 2 === 1));
      }
    };
    // What the daemon needs for anything at all, it has after this.
    await list();
    const growthBytes = await growthOf(async () => {
      const state = { listing: true };
      const lists = (async () => {
        for (let round = 0; round < 3; round += 1) await list();
      })().finally(() => (state.listing = false));
      while (state.listing) await within(daemon.vdsm.getTicket(id), 'control', { deadlineMs: promptMs });
      await lists;
    });
    t.diagnostic(`memory grew by ${Math.round(growthBytes / MiB)} MiB`);
    assert.ok(growthBytes < growthBytesMax);
  });

  test('wait for a client that does not read them', async () => {
    const server = await daemon.workspace.qemuNbd('--read-only', '--format=raw', manyPath);
    const id = await daemon.addTicket(server.url, manyPieces * 8 * KiB, { ops: ['read'] });
    const growthBytes = await growthOf(async () => {
      const responses = await Promise.all(
        Array.from({ length: 4 }, () => client.open('GET', `${imagePath(id)}/extents`)),
      );
      const { active } = await daemon.vdsm.getTicket(id);
      assert.equal(active, true);
      for (const response of responses) response.destroy();
      await daemon.ticketState(id, (info) => !info.active, 'the lists have ended');
    });
    assert.ok(growthBytes < growthBytesMax);
    assert.equal(await daemon.removeTicket(id), 204);
  });

  for (const format of ['raw', 'qcow2'] as const) {
    test(`of a ${format} image of 8 TiB that is almost empty come soon and in constant memory`, async (t) => {
      // 64 MiB of data.
      const pieces = 64;
      const raw = writeSpread(`huge-${format}`, pieces, MiB, (8 * TiB) / pieces);
      const path = format === 'raw' ? raw : await sparseQcow2(pieces);
      const server = await daemon.workspace.qemuNbd('--read-only', `--format=${format}`, path);
      const id = await daemon.addTicket(server.url, 8 * TiB, { ops: ['read'] });
      await client.request('OPTIONS', imagePath(id));
      const growthBytes = await growthOf(async () => {
        const begun = performance.now();
        const extents = await client.extents(id);
        t.diagnostic(`${extents.length} extents in ${Math.round(performance.now() - begun)} ms`);
        assert.equal(extents.length, 2 * pieces);
        assert.equal(extents.at(-1)!.start + extents.at(-1)!.length, 8 * TiB);
        const data = extents.filter(({ zero }) => !zero);
        assert.ok(data.every(({ length }) => length === MiB));
        const bytes = await client.read(id, { offsetBytes: data.at(-1)!.start, lengthBytes: MiB });
        assert.ok(bytes.equals(pattern(MiB)));
      });
      t.diagnostic(`memory grew by ${Math.round(growthBytes / MiB)} MiB`);
      assert.ok(growthBytes < growthBytesMax);
    });
  }

  /** Written through QEMU, as converting 8 TiB takes it minutes of looking for data. */
  async function sparseQcow2(pieces: number): Promise<string> {
    const path = daemon.workspace.path('huge.qcow2');
    await runProgram('qemu-img', 'create', '-q', '-f', 'qcow2', path, '8T');
    const server = await daemon.workspace.qemuNbd('--format=qcow2', '--cache=unsafe', path);
    const id = await daemon.addTicket(server.url, 8 * TiB);
    for (let index = 0; index < pieces; index += 1) {
      await client.write(id, pattern(MiB), (index * 8 * TiB) / pieces);
    }
    await client.flush(id);
    assert.equal(await daemon.removeTicket(id), 204);
    await server.stop('SIGTERM');
    return path;
  }
});
