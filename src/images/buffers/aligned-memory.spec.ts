import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import koffi from 'koffi';

import { AlignedMemory, isCongruent, pageBytes } from './aligned-memory.js';

describe('AlignedMemory', () => {
  it('gives buffers whose real address is a multiple of the page size', () => {
    const memory = new AlignedMemory(256 * 1024);
    for (const lengthBytes of [1, 4096, 5000, 70_000, 300_000]) {
      const buffer = memory.allocate(lengthBytes);
      assert.equal(buffer.length, lengthBytes);
      assert.equal(addressOf(buffer) % BigInt(pageBytes), 0n);
    }
  });

  it('never gives the same page twice', () => {
    const memory = new AlignedMemory(64 * 1024);
    const buffers = Array.from({ length: 40 }, () => memory.allocate(5000));
    for (const [index, buffer] of buffers.entries()) {
      buffer.fill(index + 1);
    }
    for (const [index, buffer] of buffers.entries()) {
      assert.ok(buffer.every((byte) => byte === index + 1));
    }
  });

  it('carves many buffers out of one slab', () => {
    const memory = new AlignedMemory(64 * 1024);
    const buffers = Array.from({ length: 17 }, () => memory.allocate(4096));
    assert.equal(new Set(buffers.map((buffer) => buffer.buffer)).size, 2);
  });
});

describe('isCongruent', () => {
  const buffer = new AlignedMemory(64 * 1024).allocate(16 * 1024);

  it('compares the position in the page with the position in the file', () => {
    assert.ok(isCongruent(buffer, 0, 4096));
    assert.ok(isCongruent(buffer, 8192, 4096));
    assert.ok(isCongruent(buffer.subarray(100), 4196, 4096));
    assert.ok(!isCongruent(buffer.subarray(100), 4197, 4096));
    assert.ok(!isCongruent(buffer.subarray(512), 0, 4096));
    assert.ok(isCongruent(buffer.subarray(512), 0, 512));
  });

  it('is false for memory whose address is not known, except where nothing needs to agree', () => {
    const unknown = new Uint8Array(4096);
    assert.ok(!isCongruent(unknown, 0, 512));
    assert.ok(isCongruent(unknown, 7, 1));
  });
});

function addressOf(buffer: Uint8Array): bigint {
  return koffi.address(buffer);
}
