import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';

import { NotAllowedError } from '../../src/base/errors.js';
import type { Backend } from '../../src/images/backends/backend.js';
import { describeBackend } from '../../src/images/backends/backend.conformance.js';
import { FileSource } from '../../src/images/backends/file/file-source.js';
import { attachLoopDevice, detachLoopDevice, mountingRefusal } from './block-devices.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'imageio-loop-'));
const skip = mountingRefusal(folder);
const source = new FileSource({
  warn: (message) => {
    assert.fail(message);
  },
  threadCount: 4,
  allowedRoots: [],
});

after(() => {
  fs.rmSync(folder, { recursive: true });
});

function open(device: string, writable = true): Promise<Backend> {
  return source.open({ url: `file://${device}`, writable, sparse: false, dirty: false });
}

for (const sectorBytes of [512, 4096] as const) {
  describeBackend(
    `a block device of sectors of ${sectorBytes} bytes`,
    async (content) => {
      const backing = path.join(folder, 'backing');
      fs.writeFileSync(backing, content);
      const device = attachLoopDevice(backing, sectorBytes);
      const backends = [await open(device)];
      return {
        backend: backends[0]!,
        reopen: async () => {
          const backend = await open(device);
          backends.push(backend);
          return backend;
        },
        readRaw: async () => fs.readFileSync(backing),
        close: async () => {
          await Promise.all(backends.map((backend) => backend.close()));
          detachLoopDevice(device);
        },
      };
    },
    { sizeMultipleBytes: sectorBytes, growable: false, reportsZeroExtents: false, skip },
  );
}

describe('FileSource with a block device', { skip: skip ?? false }, () => {
  function withDevice(use: (device: string, backing: string) => Promise<void>): () => Promise<void> {
    return async () => {
      const backing = path.join(folder, 'backing');
      fs.writeFileSync(backing, Buffer.alloc(1_048_576, 1));
      const device = attachLoopDevice(backing, 512);
      try {
        await use(device, backing);
      } finally {
        detachLoopDevice(device);
      }
    };
  }

  it(
    'offers eight writers and a fixed size',
    withDevice(async (device) => {
      const backend = await open(device);
      assert.deepEqual([backend.readersMax, backend.writersMax, backend.growable], [8, 8, false]);
      assert.equal(await backend.sizeBytes(), 1_048_576);
      await backend.close();
    }),
  );

  it(
    'serialises writes through two nodes of one device',
    withDevice(async (device, backing) => {
      const otherNode = path.join(folder, 'other-node');
      fs.symlinkSync(device, otherNode);
      const backends = [await open(device), await open(otherNode)];
      for (let round = 1; round < 10; round += 1) {
        await Promise.all(
          Array.from({ length: 64 }, (_, index) =>
            backends[index % 2]!.write(Buffer.alloc(64, round + index), index * 64),
          ),
        );
        const content = fs.readFileSync(backing).subarray(0, 4096);
        assert.ok(content.every((byte, position) => byte === round + Math.floor(position / 64)));
      }
      await Promise.all(backends.map((backend) => backend.close()));
    }),
  );

  it(
    'is opened through the links of a storage domain, and with its real path alone below the allowed roots',
    withDevice(async (device) => {
      // As a host has them: image -> /dev/group/volume -> ../dm-0, which is a device node of /dev.
      const image = path.join(folder, 'mnt/blockSD/domain/images/image/volume');
      const volume = path.join(folder, 'dev/group/volume');
      for (const name of [image, volume]) fs.mkdirSync(path.dirname(name), { recursive: true });
      fs.symlinkSync(device, path.join(folder, 'dev/dm-0'));
      fs.symlinkSync('../dm-0', volume);
      fs.symlinkSync(volume, image);
      const backend = await open(image);
      assert.equal(await backend.sizeBytes(), 1_048_576);
      await backend.close();
      const request = { url: `file://${image}`, writable: true, sparse: false, dirty: false };
      const bounded = (allowedRoots: string[]) =>
        new FileSource({ warn: () => {}, threadCount: 4, allowedRoots }).open(request);
      await (await bounded(['/dev'])).close();
      await assert.rejects(bounded([folder]), NotAllowedError);
    }),
  );

  it(
    'deallocates the storage behind the device when zeroing is sparse',
    withDevice(async (device, backing) => {
      const backend = await open(device);
      await backend.zero({ offsetBytes: 0, lengthBytes: 1_048_576 }, { sparse: true });
      await backend.flush();
      assert.ok(fs.statSync(backing).blocks * 512 < 65_536);
      await backend.close();
    }),
  );
});
