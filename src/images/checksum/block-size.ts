import { MiB } from '../../base/units.js';

// Smaller blocks make more digests than they are worth, larger ones make buffers that a host
// full of VMs does not want to give.
export const blockSizeBytesMin = MiB;
export const blockSizeBytesMax = 16 * MiB;
export const blockSizeMultipleBytes = 4096;

/** Whether the blocks of a checksum may be so long. */
export function isBlockSize(bytes: number): boolean {
  return bytes >= blockSizeBytesMin && bytes <= blockSizeBytesMax && bytes % blockSizeMultipleBytes === 0;
}
