import { KiB, MiB } from '../../base/units.js';

/**
 * The most extra bytes around a read that a backend may need in the buffer it is given, on each side: the
 * largest block size (512 or 4096 bytes for files, the minimum block size of an NBD export).
 */
export const blockSlackBytes = 4096;

export const pageBytes = 4 * KiB;

const wasmPageBytes = 64 * KiB;

/** The one part used here. TypeScript describes WebAssembly only together with the browser's whole DOM. */
declare const WebAssembly: {
  readonly Memory: new (limits: { initial: number; maximum: number; shared: true }) => {
    readonly buffer: SharedArrayBuffer;
  };
};

/** Every memory whose first byte is known to lie on a page boundary. */
const pageAlignedMemories = new WeakSet<ArrayBufferLike>();

/**
 * Page-aligned memory as direct I/O (`O_DIRECT`) needs it, without native code: the memory of a
 * `WebAssembly.Memory` begins on a page boundary, which an `ArrayBuffer` does not.
 *
 * Each `WebAssembly.Memory` reserves about 8 GiB of address space for its guard regions, whatever its size,
 * so a memory per buffer would run into limits of the address space after some thousands of buffers.
 * Buffers are carved from slabs instead. A page costs real memory only from its first use on. Nothing is
 * ever given back: owners reuse what they got.
 *
 * The memory is shared, so that a worker thread can look at a buffer without a copy;
 * `fs`, sockets and TLS take it too.
 */
export class AlignedMemory {
  readonly #slabBytes: number;
  #slab: ArrayBufferLike | undefined;
  #usedBytes = 0;

  /**
   * @param slabBytes how much address space to take at a time; more only for a single buffer that is larger
   */
  constructor(slabBytes = 32 * MiB) {
    this.#slabBytes = slabBytes;
  }

  /**
   * @returns `lengthBytes` bytes of zeroes that begin on a page boundary and share
   *   their last page with nobody
   */
  allocate(lengthBytes: number): Uint8Array {
    const roundedBytes = Math.ceil(lengthBytes / pageBytes) * pageBytes;
    if (this.#slab === undefined || this.#usedBytes + roundedBytes > this.#slab.byteLength) {
      this.#slab = createSlab(Math.max(this.#slabBytes, roundedBytes));
      this.#usedBytes = 0;
    }
    const buffer = new Uint8Array(this.#slab, this.#usedBytes, lengthBytes);
    this.#usedBytes += roundedBytes;
    return buffer;
  }
}

/**
 * Says whether the memory address of `view` and a position in a file agree modulo a block size, that is,
 * whether direct I/O between them needs no copy. The address is known only of memory that `AlignedMemory`
 * made; for other memory the answer is no, unless the block size is 1 and nothing needs to agree.
 * @param blockSizeBytes a power of two, at most a page
 */
export function isCongruent(view: Uint8Array, offsetBytes: number, blockSizeBytes: number): boolean {
  if (blockSizeBytes === 1) {
    return true;
  }
  return (
    pageAlignedMemories.has(view.buffer) && view.byteOffset % blockSizeBytes === offsetBytes % blockSizeBytes
  );
}

function createSlab(lengthBytes: number): ArrayBufferLike {
  const pages = Math.ceil(lengthBytes / wasmPageBytes);
  const slab = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer;
  pageAlignedMemories.add(slab);
  return slab;
}
