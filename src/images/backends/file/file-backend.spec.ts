import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { NoSpaceError, StorageError } from '../../../base/errors.js';
import { MiB } from '../../../base/units.js';
import { describeBackend, listExtents } from '../backend.conformance.js';
import { FairShares } from '../../buffers/fair-shares.js';
import { BufferPool } from '../../buffers/buffer-pool.js';
import { ImageLocks } from '../image-locks.js';
import { BounceBuffers } from './bounce-buffers.js';
import { FileBackend } from './file-backend.js';
import { FileTurns } from './file-turns.js';
import { WalkThreads } from './walk-threads.js';

const pool = new BufferPool({ poolBytes: 4 * MiB });
const locks = new ImageLocks();
const bounce = new BounceBuffers();
const threads = new FairShares(8);
const walkThreads = new WalkThreads();

interface FileOptions {
  readonly isDirect: boolean;
  readonly blockSizeBytes: number;
}

function openBackend(file: string, { isDirect, blockSizeBytes }: FileOptions): FileBackend {
  const flags = fs.constants.O_RDWR | (isDirect ? fs.constants.O_DIRECT : 0);
  return new FileBackend({
    identity: 'the image',
    fd: fs.openSync(file, flags),
    isBlockDevice: false,
    blockSizeBytes,
    lock: locks.enter(file),
    bounce,
    turns: new FileTurns(threads, { imageUrl: file }),
    walkThreads,
    onClose: () => {
      locks.leave(file);
    },
  });
}

function describeFiles(name: string, parentFolder: string, options: FileOptions, skip?: string): void {
  describeBackend(
    name,
    async (content) => {
      const folder = fs.mkdtempSync(path.join(parentFolder, 'imageio-file-'));
      const file = path.join(folder, 'image');
      fs.writeFileSync(file, content);
      const backends = [openBackend(file, options)];
      return {
        backend: backends[0]!,
        reopen: async () => {
          const backend = openBackend(file, options);
          backends.push(backend);
          return backend;
        },
        readRaw: async () => fs.readFileSync(file),
        close: async () => {
          await Promise.all(backends.map((backend) => backend.close()));
          fs.rmSync(folder, { recursive: true, force: true });
        },
      };
    },
    { sizeMultipleBytes: 1, growable: true, reportsZeroExtents: true, skip },
  );
}

const memoryFolder = '/dev/shm';
const noDirectIo = directIoRefusal(os.tmpdir());

describeFiles(
  'a buffered file in memory',
  memoryFolder,
  { isDirect: false, blockSizeBytes: 1 },
  fs.existsSync(memoryFolder) ? undefined : `there is no ${memoryFolder}`,
);
describeFiles('a buffered file on disk', os.tmpdir(), { isDirect: false, blockSizeBytes: 1 });
describeFiles(
  'a direct file of blocks of 512 bytes',
  os.tmpdir(),
  { isDirect: true, blockSizeBytes: 512 },
  noDirectIo,
);
describeFiles(
  'a direct file of blocks of 4096 bytes',
  os.tmpdir(),
  { isDirect: true, blockSizeBytes: 4096 },
  noDirectIo,
);

describe('FileBackend', () => {
  let folder: string;
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'imageio-file-'));
  });
  after(() => {
    fs.rmSync(folder, { recursive: true });
    assert.equal(locks.count, 0, 'each closed backend has left its image');
  });

  it('says that the storage is full when it is', async () => {
    // Writes to this device always fail with ENOSPC.
    const backend = openBackend('/dev/full', { isDirect: false, blockSizeBytes: 1 });
    await assert.rejects(backend.write(Buffer.alloc(10), 0), NoSpaceError);
    await backend.close();
  });

  it('tells a size that it saw before when that is enough, until a read comes short', async () => {
    const file = path.join(folder, 'resized');
    fs.writeFileSync(file, Buffer.alloc(10_000));
    const backend = openBackend(file, { isDirect: false, blockSizeBytes: 1 });
    const buffer = await pool.acquire({ size: 'small', claimant: { imageUrl: '' } });
    assert.equal(await backend.sizeBytes(5000), 10_000);
    // By somebody else, of whom the service hears nothing.
    fs.truncateSync(file, 20_000);
    assert.equal(await backend.sizeBytes(10_000), 10_000);
    assert.equal(await backend.sizeBytes(10_001), 20_000);
    fs.truncateSync(file, 4000);
    assert.equal(await backend.sizeBytes(5000), 20_000);
    assert.equal((await backend.read(buffer, { offsetBytes: 0, lengthBytes: 5000 })).length, 4000);
    assert.equal(await backend.sizeBytes(5000), 4000);
    pool.release(buffer);
    await backend.close();
  });

  it('says that the storage failed, with the cause apart, and goes on', async () => {
    // Nothing is mapped at address 0, so reading and writing there fail with EIO.
    const backend = openBackend('/proc/self/mem', { isDirect: false, blockSizeBytes: 1 });
    const buffer = await pool.acquire({ size: 'small', claimant: { imageUrl: '' } });
    for (let repetition = 0; repetition < 2; repetition += 1) {
      await assert.rejects(backend.read(buffer, { offsetBytes: 0, lengthBytes: 10 }), (error: unknown) => {
        assert.ok(error instanceof StorageError && !(error instanceof NoSpaceError));
        assert.equal(error.message, 'Reading the image failed');
        assert.equal((error.cause as NodeJS.ErrnoException).code, 'EIO');
        return true;
      });
    }
    await assert.rejects(backend.write(buffer.subarray(0, 10), 0), /Writing the image failed/);
    pool.release(buffer);
    await backend.close();
  });

  it('deallocates when zeroing is sparse, and keeps or makes it allocated otherwise', async () => {
    const file = path.join(folder, 'allocation');
    fs.writeFileSync(file, Buffer.alloc(8 * MiB, 1));
    const backend = openBackend(file, { isDirect: false, blockSizeBytes: 1 });
    const allocatedBytes = () => fs.statSync(file).blocks * 512;
    await backend.zero({ offsetBytes: 0, lengthBytes: 8 * MiB }, { sparse: true });
    assert.ok(allocatedBytes() < MiB, 'punched');
    await backend.zero({ offsetBytes: 0, lengthBytes: 8 * MiB }, { sparse: false });
    assert.ok(allocatedBytes() >= 8 * MiB, 'allocated again');
    await backend.zero({ offsetBytes: 8 * MiB, lengthBytes: 4 * MiB }, { sparse: true });
    assert.ok(allocatedBytes() < 9 * MiB, 'extended without allocating');
    await backend.zero({ offsetBytes: 12 * MiB, lengthBytes: 4 * MiB }, { sparse: false });
    assert.ok(allocatedBytes() >= 12 * MiB, 'extended and allocated');
    assert.equal(await backend.sizeBytes(), 16 * MiB);
    await backend.close();
  });

  it('lists a file of many holes lazily', async () => {
    const file = path.join(folder, 'holes');
    const fd = fs.openSync(file, 'w');
    for (let index = 0; index < 100; index += 1) {
      fs.writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, index * 65_536);
    }
    fs.closeSync(fd);
    const backend = openBackend(file, { isDirect: false, blockSizeBytes: 1 });
    const lists = await backend.extents().next();
    assert.ok(lists.done !== true);
    const [first, ...others] = lists.value;
    assert.deepEqual({ ...first }, { start: 0, length: 4096, zero: false, hole: false });
    assert.deepEqual(others, []);
    assert.equal((await listExtents(backend)).length, 199);
    await backend.close();
  });
});

function directIoRefusal(folder: string): string | undefined {
  const file = path.join(fs.mkdtempSync(path.join(folder, 'imageio-file-')), 'probe');
  try {
    fs.closeSync(fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_DIRECT));
    return undefined;
  } catch {
    return `the file system of ${folder} refuses O_DIRECT`;
  } finally {
    fs.rmSync(path.dirname(file), { recursive: true });
  }
}
