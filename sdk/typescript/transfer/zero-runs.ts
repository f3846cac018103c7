import type { ByteRange } from './byte-ranges.js';

/** A part of a piece of data. */
export interface DataRun extends ByteRange {
  readonly zero: boolean;
}

/**
 * Cuts data into parts that are all zeroes and parts that are not.
 * @param granuleBytes of which a zero part has whole ones; a multiple of 4, except for the end of the data
 * @returns in order; neighbours differ
 */
export function zeroRuns(data: Uint8Array, granuleBytes: number): DataRun[] {
  const runs: DataRun[] = [];
  let start = 0;
  let startIsZero = false;
  for (let offset = 0; offset < data.length; offset += granuleBytes) {
    const zero = isZero(data, offset, Math.min(granuleBytes, data.length - offset));
    if (offset > 0 && zero !== startIsZero) {
      runs.push({ offsetBytes: start, lengthBytes: offset - start, zero: startIsZero });
      start = offset;
    }
    startIsZero = zero;
  }
  if (data.length > 0) runs.push({ offsetBytes: start, lengthBytes: data.length - start, zero: startIsZero });
  return runs;
}

/** Most data is told from zeroes by its first bytes, and zeroes are looked at four bytes at a time. */
function isZero(data: Uint8Array, offset: number, length: number): boolean {
  const address = data.byteOffset + offset;
  const wordBytes = address % 4 === 0 ? length - (length % 4) : 0;
  const words = new Int32Array(data.buffer, wordBytes === 0 ? 0 : address, wordBytes / 4);
  for (let index = 0; index < words.length; index++) if (words[index] !== 0) return false;
  for (let index = offset + wordBytes; index < offset + length; index++) if (data[index] !== 0) return false;
  return true;
}
