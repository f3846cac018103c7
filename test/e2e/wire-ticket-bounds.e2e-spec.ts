import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import type { ImageTicket } from './daemon-under-test.js';
import { describeWire, type Wire } from './wire-under-test.js';

const imageBytes = 4 * MiB;
const data = Buffer.alloc(64 * KiB, 'data');
/** Where the image has data; holes between. */
const dataOffsets = [0, 128 * KiB, 2 * MiB, imageBytes - data.length];

describeWire('a ticket that is smaller than its image', {}, (wire) => {
  for (const size of [0, 1, 4096, 64 * KiB, 64 * KiB + 1, 130 * KiB, 3 * MiB, imageBytes, 2 * imageBytes]) {
    const coveredBytes = Math.min(size, imageBytes);

    test(`of ${size} bytes has the extents of what a download has`, async () => {
      const { id, path } = await addImage(wire, size);
      const client = wire.client();
      const { body } = await client.request('GET', path);
      const extents = await client.extents(id);
      let endBytes = 0;
      for (const { start, length, zero } of extents) {
        assert.equal(start, endBytes);
        assert.ok(length > 0);
        if (zero) assert.ok(body.subarray(start, start + length).equals(Buffer.alloc(length)));
        endBytes += length;
      }
      assert.equal(endBytes, coveredBytes);
      assert.equal(endBytes, body.length);
      if (size === 0) assert.deepEqual(extents, []);
    });

    test(`of ${size} bytes has the checksum of what a download has`, async () => {
      const smaller = await addImage(wire, size);
      const client = wire.client();
      const copy = await wire.addImage((await client.request('GET', smaller.path)).body);
      assert.equal(await client.checksum(smaller.id), await client.checksum(copy.id));
    });
  }
});

async function addImage(wire: Wire, size: number): Promise<ImageTicket> {
  const ticket = await wire.addImage(imageBytes, { size });
  await using file = await open(ticket.file, 'r+');
  for (const offsetBytes of dataOffsets) await file.write(data, 0, data.length, offsetBytes);
  return ticket;
}
