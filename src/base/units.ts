export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** A part of an image: where it begins and how many bytes it has. Both are safe, non-negative integers. */
export interface ByteRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** Whether some byte is in both. */
export function overlap(one: ByteRange, other: ByteRange): boolean {
  return (
    one.offsetBytes < other.offsetBytes + other.lengthBytes &&
    other.offsetBytes < one.offsetBytes + one.lengthBytes
  );
}
