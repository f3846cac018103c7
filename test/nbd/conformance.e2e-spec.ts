import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';

import { StorageError } from '../../src/base/errors.js';
import { describeBackend } from '../../src/images/backends/backend.conformance.js';
import { MiB } from '../../src/base/units.js';
import { listExtents, openImage, pattern, readBytes } from './images.js';
import { missing, type NbdServer, runProgram, Workspace } from './servers.js';

interface ServerKind {
  /** Where the content of a new image is found when `start` is called. */
  readonly start: (workspace: Workspace, contentPath: string) => Promise<NbdServer>;
  /** The server changes the content's file itself, so that it shows what is in the image. */
  readonly servesFile: boolean;
  readonly sizeMultipleBytes: number;
  readonly reportsZeroExtents: boolean;
}

/** QEMU counts sizes in sectors. */
const sectorBytes = 512;
/** Smaller than what the suite deallocates: a cluster that is zeroed in part stays allocated. */
const qcow2Options = 'cluster_size=4096';

/** An nbdkit that fails what is not as it says that it must be. */
const fileOfBlocks = (path: string, minimumBytes: number, ...more: readonly string[]): readonly string[] => [
  '--filter=blocksize-policy',
  'file',
  path,
  `blocksize-minimum=${minimumBytes}`,
  'blocksize-preferred=4096',
  'blocksize-error-policy=error',
  ...more,
];

describeServer('qemu-nbd with a raw image', {
  start: (workspace, path) => workspace.qemuNbd('--format=raw', '--discard=unmap', path),
  servesFile: true,
  sizeMultipleBytes: sectorBytes,
  reportsZeroExtents: true,
});

describeServer('qemu-nbd with a qcow2 image', {
  start: async (workspace, path) => {
    const disk = workspace.path('disk.qcow2');
    const formats = ['-f', 'raw', '-O', 'qcow2', '-o', qcow2Options];
    await runProgram('qemu-img', 'convert', '-t', 'unsafe', ...formats, path, disk);
    return workspace.qemuNbd('--format=qcow2', '--allocation-depth', disk);
  },
  servesFile: false,
  sizeMultipleBytes: sectorBytes,
  reportsZeroExtents: true,
});

describeServer('qemu-nbd with a qcow2 image over a backing chain', {
  start: async (workspace, path) => {
    const top = workspace.path('top.qcow2');
    await runProgram(
      'qemu-img',
      ...['create', '-q', '-f', 'qcow2', '-o', qcow2Options, '-b', path, '-F', 'raw', top],
    );
    return workspace.qemuNbd('--format=qcow2', '--allocation-depth', top);
  },
  servesFile: false,
  sizeMultipleBytes: sectorBytes,
  reportsZeroExtents: true,
});

describeServer('nbdkit with an image in memory', {
  start: async (workspace, path) => {
    const { length } = await readFile(path);
    const server = await workspace.nbdkit('memory', `${length}`);
    await copyOneByOne(path, nbdUri(server));
    return server;
  },
  servesFile: false,
  sizeMultipleBytes: 1,
  reportsZeroExtents: true,
});

describeServer('nbdkit with a file', {
  start: (workspace, path) => workspace.nbdkit('file', path),
  servesFile: true,
  sizeMultipleBytes: 1,
  reportsZeroExtents: true,
});

describeServer('nbdkit with simple replies only, and nothing but reading and writing', {
  // The split plugin, unlike the others, has no flush.
  start: (workspace, path) =>
    workspace.nbdkit('--no-sr', '--filter=nozero', '--filter=noextents', 'split', path),
  servesFile: true,
  sizeMultipleBytes: 1,
  reportsZeroExtents: false,
});

for (const minimumBytes of [512, 4096]) {
  describeServer(`nbdkit with blocks of at least ${minimumBytes} bytes`, {
    start: (workspace, path) => workspace.nbdkit(...fileOfBlocks(path, minimumBytes)),
    servesFile: true,
    sizeMultipleBytes: minimumBytes,
    reportsZeroExtents: true,
  });
}

describeServer('nbdkit with requests of at most 8 KiB', {
  start: (workspace, path) => workspace.nbdkit(...fileOfBlocks(path, 1, 'blocksize-maximum=8192')),
  servesFile: true,
  sizeMultipleBytes: 1,
  reportsZeroExtents: true,
});

describeServer('nbdkit with blocks of 4096 bytes, requests of at most 8 KiB and no zeroing', {
  start: (workspace, path) =>
    workspace.nbdkit('--filter=nozero', ...fileOfBlocks(path, 4096, 'blocksize-maximum=8192')),
  servesFile: true,
  sizeMultipleBytes: 4096,
  reportsZeroExtents: false,
});

describe('a read-only export', { skip: missing('qemu-nbd', 'qemu-img', 'nbdkit') }, () => {
  const content = Buffer.concat([pattern(MiB), Buffer.alloc(MiB)]);
  for (const [name, start] of Object.entries<ServerKind['start']>({
    'qemu-nbd with a raw image': (workspace, path) => workspace.qemuNbd('--read-only', '--format=raw', path),
    'qemu-nbd with a qcow2 image': async (workspace, path) => {
      const disk = workspace.path('disk.qcow2');
      await runProgram('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', path, disk);
      return workspace.qemuNbd('--read-only', '--format=qcow2', disk);
    },
    'nbdkit with a file': (workspace, path) => workspace.nbdkit('--readonly', 'file', path),
    'nbdkit with blocks of 4096 bytes': (workspace, path) =>
      workspace.nbdkit('--readonly', ...fileOfBlocks(path, 4096)),
  })) {
    it(`of ${name} is read whole and in parts, lists extents, and refuses whoever would write`, async () => {
      await using workspace = await Workspace.create();
      await writeFile(workspace.path('content'), content);
      const server = await start(workspace, workspace.path('content'));
      await assert.rejects(openImage(server.url), { name: 'StorageError', message: /read-only/ });
      const image = await openImage(server.url, { writable: false });
      assert.ok((await readBytes(image, 0, content.length)).equals(content));
      for (const [offsetBytes, lengthBytes] of [
        [1, 1],
        [4095, 4098],
        [MiB - 100, 200],
      ] as const) {
        const expected = content.subarray(offsetBytes, offsetBytes + lengthBytes);
        assert.ok((await readBytes(image, offsetBytes, lengthBytes)).equals(expected));
      }
      const extents = await listExtents(image);
      assert.equal(extents.at(-1)!.start + extents.at(-1)!.length, content.length);
      assert.ok(extents.every(({ start, zero }) => !zero || start >= MiB));
      await image.flush();
      await assert.rejects(image.write(pattern(1), 0), StorageError);
      await assert.rejects(image.zero({ offsetBytes: 0, lengthBytes: 1 }, { sparse: true }), StorageError);
      assert.ok((await readBytes(image, 0, content.length)).equals(content));
      await image.close();
    });
  }
});

function describeServer(name: string, kind: ServerKind): void {
  describeBackend(
    name,
    async (content) => {
      const workspace = await Workspace.create();
      const path = workspace.path('content');
      await writeFile(path, content);
      const server = await kind.start(workspace, path);
      const backends = [await openImage(server.url)];
      return {
        backend: backends[0]!,
        reopen: async () => {
          const backend = await openImage(server.url);
          backends.push(backend);
          return backend;
        },
        readRaw: async () => {
          if (kind.servesFile) return readFile(path);
          const copy = workspace.path('copy');
          await copyOneByOne(nbdUri(server), copy);
          return readFile(copy);
        },
        close: async () => {
          await Promise.all(backends.map((backend) => backend.close()));
          await workspace[Symbol.asyncDispose]();
        },
      };
    },
    {
      sizeMultipleBytes: kind.sizeMultipleBytes,
      growable: false,
      reportsZeroExtents: kind.reportsZeroExtents,
      skip: missing('qemu-nbd', 'qemu-img', 'nbdkit', 'nbdcopy') || undefined,
    },
  );
}

/** With libnbd's client, which for so little is quicker without threads, and reads the zeroes too. */
async function copyOneByOne(from: string, to: string): Promise<void> {
  await runProgram('nbdcopy', '--no-extents', '--connections=1', '--threads=1', '--requests=1', from, to);
}

/** As libnbd's programs are told it. */
function nbdUri(server: NbdServer): string {
  return `nbd+unix:///?socket=${server.socketPath}`;
}
