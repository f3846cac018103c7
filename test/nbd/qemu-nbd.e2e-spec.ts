import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { StorageError } from '../../src/base/errors.js';
import type { Backend, Extent } from '../../src/images/backends/backend.js';
import { MiB } from '../../src/base/units.js';
import { listExtents, openImage, pattern, readBytes } from './images.js';
import { missing, runProgram, Workspace } from './servers.js';

const clusterBytes = 64 * 1024;
const zeroExtent = (start: number, length: number): Extent => ({ start, length, zero: true, hole: false });
const dataExtent = (start: number, length: number): Extent => ({ start, length, zero: false, hole: false });
const holeExtent = (start: number, length: number): Extent => ({ start, length, zero: true, hole: true });

describe('qemu-nbd', { skip: missing('qemu-nbd', 'qemu-img', 'qemu-io') }, () => {
  const createQcow2 = (path: string, ...args: readonly string[]): Promise<string> =>
    runProgram('qemu-img', 'create', '-q', '-f', 'qcow2', ...args, path);
  const qemuIo = (path: string, ...commands: readonly string[]): Promise<string> =>
    runProgram('qemu-io', '-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), path);

  test('serves reads, writes, zeroes and flushes of a raw image', async () => {
    await using workspace = await Workspace.create();
    await runProgram('truncate', '-s', '8M', workspace.path('disk'));
    const server = await workspace.qemuNbd('--format=raw', workspace.path('disk'));
    const image = await openImage(server.url);
    assert.equal(await image.sizeBytes(), 8 * MiB);
    const data = pattern(3 * MiB + 1);
    await image.write(data, MiB - 7);
    await image.zero({ offsetBytes: 2 * MiB + 1, lengthBytes: 4099 }, { sparse: false });
    await image.flush();
    data.fill(0, MiB + 8, MiB + 8 + 4099);
    const expected = Buffer.concat([Buffer.alloc(MiB - 7), data, Buffer.alloc(4 * MiB + 6)]);
    assert.ok((await readBytes(image, 0, 8 * MiB)).equals(expected));
    assert.equal((await readBytes(image, 8 * MiB - 10, 100)).length, 10);
    assert.equal((await readBytes(image, 9 * MiB, 100)).length, 0);
    await assert.rejects(image.write(data, 6 * MiB), StorageError);
    await image.close();
  });

  test('keeps many requests in flight apart', async () => {
    await using workspace = await Workspace.create();
    await runProgram('truncate', '-s', '32M', workspace.path('disk'));
    const server = await workspace.qemuNbd('--format=raw', workspace.path('disk'));
    const image = await openImage(server.url);
    const offsets = Array.from({ length: 32 }, (_, index) => index * MiB);
    await Promise.all(offsets.map((offset) => image.write(pattern(MiB, offset / MiB), offset)));
    const read = await Promise.all(offsets.map((offset) => readBytes(image, offset, MiB)));
    for (const [index, bytes] of read.entries()) assert.ok(bytes.equals(pattern(MiB, index)));
    await image.close();
  });

  test('reports a raw image without holes', async () => {
    await using workspace = await Workspace.create();
    await runProgram('truncate', '-s', '4M', workspace.path('disk'));
    const server = await workspace.qemuNbd('--format=raw', '--allocation-depth', workspace.path('disk'));
    const image = await openImage(server.url);
    await image.write(pattern(MiB), MiB);
    assert.deepEqual(await listExtents(image), [
      zeroExtent(0, MiB),
      dataExtent(MiB, MiB),
      zeroExtent(2 * MiB, 2 * MiB),
    ]);
    await image.close();
  });

  test('deallocates a sparse zero and allocates one that is not', async () => {
    await using workspace = await Workspace.create();
    await runProgram('truncate', '-s', '4M', workspace.path('disk'));
    const server = await workspace.qemuNbd('--format=raw', '--discard=unmap', workspace.path('disk'));
    const image = await openImage(server.url);
    await image.write(pattern(4 * MiB), 0);
    await image.zero({ offsetBytes: 0, lengthBytes: 2 * MiB }, { sparse: true });
    await image.zero({ offsetBytes: 2 * MiB, lengthBytes: MiB }, { sparse: false });
    await image.flush();
    assert.ok((await readBytes(image, 0, 3 * MiB)).equals(Buffer.alloc(3 * MiB)));
    const allocatedBytes = Number(await runProgram('stat', '--format=%b', workspace.path('disk'))) * 512;
    assert.ok(allocatedBytes >= 2 * MiB && allocatedBytes < 3 * MiB, `${allocatedBytes}`);
    await image.close();
  });

  describe('with a qcow2 chain', () => {
    async function withChain(use: (workspace: Workspace) => Promise<void>): Promise<void> {
      await using workspace = await Workspace.create();
      await createQcow2(workspace.path('base'), '-o', 'size=1M');
      await createQcow2(workspace.path('top'), '-b', workspace.path('base'), '-F', 'qcow2');
      await qemuIo(workspace.path('base'), 'write -P 1 0 64k', 'write -P 1 64k 64k');
      await qemuIo(workspace.path('top'), 'write -P 2 64k 64k', 'write -z 128k 64k');
      await use(workspace);
    }

    test('reports what reads as data through all layers', async () => {
      await withChain(async (workspace) => {
        const server = await workspace.qemuNbd('--format=qcow2', '--allocation-depth', workspace.path('top'));
        const image = await openImage(server.url);
        assert.deepEqual(await listExtents(image), [
          dataExtent(0, 2 * clusterBytes),
          zeroExtent(2 * clusterBytes, clusterBytes),
          holeExtent(3 * clusterBytes, MiB - 3 * clusterBytes),
        ]);
        assert.deepEqual([...(await readBytes(image, clusterBytes - 1, 2))], [1, 2]);
        await image.close();
      });
    });

    test('reports holes where a single layer has nothing', async () => {
      await withChain(async (workspace) => {
        const file = { driver: 'file', filename: workspace.path('top') };
        const layer = `json:${JSON.stringify({ driver: 'qcow2', file, backing: null })}`;
        const server = await workspace.qemuNbd('--allocation-depth', layer);
        const image = await openImage(server.url);
        assert.deepEqual(await listExtents(image), [
          holeExtent(0, clusterBytes),
          dataExtent(clusterBytes, clusterBytes),
          zeroExtent(2 * clusterBytes, clusterBytes),
          holeExtent(3 * clusterBytes, MiB - 3 * clusterBytes),
        ]);
        await image.close();
      });
    });

    test('reports no holes without --allocation-depth', async () => {
      await withChain(async (workspace) => {
        const server = await workspace.qemuNbd('--format=qcow2', workspace.path('top'));
        const image = await openImage(server.url);
        assert.deepEqual(await listExtents(image), [
          dataExtent(0, 2 * clusterBytes),
          zeroExtent(2 * clusterBytes, MiB - 2 * clusterBytes),
        ]);
        await image.close();
      });
    });
  });

  describe('with dirty bitmaps', () => {
    async function withBitmaps(
      names: readonly string[],
      use: (workspace: Workspace) => Promise<void>,
    ): Promise<void> {
      await using workspace = await Workspace.create();
      await createQcow2(workspace.path('disk'), '-o', 'size=1M');
      await qemuIo(workspace.path('disk'), 'write -P 1 0 128k');
      for (const name of names) await runProgram('qemu-img', 'bitmap', '--add', workspace.path('disk'), name);
      await qemuIo(workspace.path('disk'), 'write -P 2 64k 64k', 'write -z 256k 64k');
      await use(workspace);
    }
    const bitmapArgs = (...names: readonly string[]): string[] => names.map((name) => `--bitmap=${name}`);

    test('reports what changed, and what of it reads as zeroes', async () => {
      await withBitmaps(['backup'], async (workspace) => {
        const server = await workspace.qemuNbd(
          '--format=qcow2',
          '--read-only',
          ...bitmapArgs('backup'),
          workspace.path('disk'),
        );
        const image = await openImage(server.url, { writable: false, dirty: true });
        assert.equal(image.canDirtyExtents, true);
        assert.deepEqual(await listExtents(image, 'dirty'), [
          { ...dataExtent(0, clusterBytes), dirty: false },
          { ...dataExtent(clusterBytes, clusterBytes), dirty: true },
          { ...zeroExtent(2 * clusterBytes, 2 * clusterBytes), dirty: false },
          { ...zeroExtent(4 * clusterBytes, clusterBytes), dirty: true },
          { ...zeroExtent(5 * clusterBytes, MiB - 5 * clusterBytes), dirty: false },
        ]);
        assert.equal((await listExtents(image)).length, 2);
        await image.close();
      });
    });

    test('knows of no changes unless the ticket asks for them, or without a bitmap', async () => {
      await withBitmaps(['backup'], async (workspace) => {
        const path = workspace.path('disk');
        const withBitmap = await workspace.qemuNbd(
          '--format=qcow2',
          '--read-only',
          ...bitmapArgs('backup'),
          path,
        );
        const unasked = await openImage(withBitmap.url, { writable: false });
        assert.equal(unasked.canDirtyExtents, false);
        await unasked.close();
        await withBitmap.stop();
        const without = await workspace.qemuNbd('--format=qcow2', '--read-only', path);
        const none = await openImage(without.url, { writable: false, dirty: true });
        assert.equal(none.canDirtyExtents, false);
        await none.close();
      });
    });

    test('refuses to guess between two', async () => {
      await withBitmaps(['one', 'two'], async (workspace) => {
        const server = await workspace.qemuNbd(
          '--format=qcow2',
          '--read-only',
          ...bitmapArgs('one', 'two'),
          workspace.path('disk'),
        );
        await assert.rejects(openImage(server.url, { writable: false, dirty: true }), /2 dirty bitmaps/);
      });
    });
  });

  test('refuses to open a read-only export for writing, and opens it for reading', async () => {
    await using workspace = await Workspace.create();
    await runProgram('truncate', '-s', '1M', workspace.path('disk'));
    const server = await workspace.qemuNbd('--format=raw', '--read-only', workspace.path('disk'));
    await assert.rejects(openImage(server.url), { name: 'StorageError', message: /read-only/ });
    const image = await openImage(server.url, { writable: false });
    assert.equal(await image.sizeBytes(), MiB);
    await image.close();
  });

  test('refuses an export name that it does not have, and serves the one it has', async () => {
    await using workspace = await Workspace.create();
    await runProgram('truncate', '-s', '1M', workspace.path('disk'));
    const server = await workspace.qemuNbd('--format=raw', '--export-name=my disk', workspace.path('disk'));
    await assert.rejects(openImage(`${server.url}:exportname=other`), /no export of this name/);
    for (const url of [
      `${server.url}:exportname=my disk`,
      `nbd+unix:///my%20disk?socket=${server.socketPath}`,
    ]) {
      const image = await openImage(url);
      assert.equal(await image.sizeBytes(), MiB);
      await image.close();
    }
  });

  test('fails what is in flight when it is killed, and is connected to again when it is back', async () => {
    await using workspace = await Workspace.create();
    await truncate(await touch(workspace.path('disk')), 256 * MiB);
    const server = await workspace.qemuNbd('--format=raw', workspace.path('disk'));
    const image = await openImage(server.url);
    await image.write(pattern(MiB), 0);
    const [killed, ...outcomes] = await killDuring(image, () => server.stop('SIGKILL'));
    assert.equal(killed?.status, 'fulfilled');
    const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.ok(failures.length > 0 && failures.every(({ reason }) => reason instanceof StorageError));
    await assert.rejects(readBytes(image, 0, 512), StorageError, 'there is no server yet');
    await server.start();
    assert.ok((await readBytes(image, 0, MiB)).equals(pattern(MiB)));
    await image.write(pattern(MiB, 2), 0);
    assert.ok((await readBytes(image, 0, MiB)).equals(pattern(MiB, 2)));
    await image.close();
  });

  test('lists a hundred thousand extents without keeping them', { timeout: 120_000 }, async () => {
    await using workspace = await Workspace.create();
    const pairs = 50_000;
    const pieceBytes = 4096;
    await createQcow2(
      workspace.path('disk'),
      '-o',
      `size=${2 * pairs * pieceBytes},cluster_size=${pieceBytes}`,
    );
    const server = await workspace.qemuNbd('--format=qcow2', '--cache=unsafe', workspace.path('disk'));
    const image = await openImage(server.url);
    const data = pattern(pieceBytes);
    const indexes = Array.from({ length: pairs }, (_, index) => index).values();
    const writeAll = async (): Promise<void> => {
      for (const index of indexes) await image.write(data, 2 * index * pieceBytes);
    };
    await Promise.all(Array.from({ length: 16 }, writeAll));
    await image.flush();
    const liveBefore = liveHeapBytes();
    let count = 0;
    for await (const list of image.extents('zero')) {
      for (const { start, length, zero } of list) {
        assert.ok(start === count * pieceBytes && length === pieceBytes && zero === (count % 2 === 1));
        count += 1;
        if (count % 25_000 === 0) assert.ok(liveHeapBytes() - liveBefore < 8 * MiB);
      }
    }
    assert.equal(count, 2 * pairs);
    await image.close();
  });

  /** Keeps writes in flight until one has succeeded, then kills the server under the rest. */
  async function killDuring(
    image: Backend,
    kill: () => Promise<void>,
  ): Promise<PromiseSettledResult<void>[]> {
    const data = pattern(4 * MiB);
    const first = image.write(data, 4 * MiB);
    const rest = Array.from({ length: 60 }, (_, index) => image.write(data, (index + 2) * 4 * MiB));
    return Promise.allSettled([first.then(kill), ...rest]);
  }

  /** Without garbage, which else comes and goes as V8 likes. */
  function liveHeapBytes(): number {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    return process.memoryUsage().heapUsed;
  }

  async function touch(path: string): Promise<string> {
    await runProgram('touch', path);
    return path;
  }
});

describe('no NBD server', () => {
  test('is a clear error at open', async () => {
    await using workspace = await Workspace.create();
    await assert.rejects(openImage(`nbd:unix:${workspace.path('nothing')}`), (error: Error) => {
      assert.ok(error instanceof StorageError);
      assert.doesNotMatch(error.message, /nothing/);
      assert.match(String(error.cause), /ENOENT/);
      return true;
    });
  });
});
