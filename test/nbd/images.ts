import type { Backend, Extent, ExtentContext } from '../../src/images/backends/backend.js';
import { blockSlackBytes } from '../../src/images/buffers/aligned-memory.js';
import { NbdSource } from '../../src/images/backends/nbd/nbd-source.js';

/** Opens what a url names, as a ticket would. Backends share the block locks, as those of one process do. */
export function openImage(
  url: string,
  {
    writable = true,
    sparse = false,
    dirty = false,
  }: { writable?: boolean; sparse?: boolean; dirty?: boolean } = {},
): Promise<Backend> {
  return source.open({ url, writable, sparse, dirty });
}

const source = new NbdSource({ connectTimeoutSeconds: 10 });

/** Reads into a buffer of the contract's size. */
export async function readBytes(image: Backend, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
  const memory = new Uint8Array(lengthBytes + 2 * blockSlackBytes);
  return Buffer.from(await image.read(memory, { offsetBytes, lengthBytes }));
}

export async function listExtents(image: Backend, context: ExtentContext = 'zero'): Promise<Extent[]> {
  const extents: Extent[] = [];
  for await (const list of image.extents(context)) extents.push(...list);
  return extents;
}

/** Bytes that differ from block to block and never are zero. */
export function pattern(lengthBytes: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(lengthBytes);
  for (let at = 0; at < lengthBytes; at += 1) bytes[at] = ((at * 31 + (at >> 9) + seed) % 255) + 1;
  return bytes;
}
