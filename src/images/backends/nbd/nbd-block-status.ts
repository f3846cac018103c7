import { descriptorBytes } from './nbd-codec.js';

/** A stretch over which every given context has one state. */
export interface Stretch {
  readonly lengthBytes: number;
  /** The flags of each context, in the order in which the contexts were given. */
  readonly flags: readonly number[];
}

/**
 * Lays the answers of several contexts over one another. Each may be cut at other places and reach less or
 * more far than what was asked for; the stretches end where the shortest ends, or at `lengthBytesMax`.
 * @param contexts descriptors of each context as they came, see BlockStatus
 */
export function* overlay(contexts: readonly Buffer[], lengthBytesMax: number): Generator<Stretch> {
  const cursors = contexts.map((descriptors) => new DescriptorCursor(descriptors));
  let remainingBytes = lengthBytesMax;
  while (remainingBytes > 0) {
    let lengthBytes = remainingBytes;
    for (const cursor of cursors) {
      if (!cursor.load()) return;
      lengthBytes = Math.min(lengthBytes, cursor.remainingBytes);
    }
    yield { lengthBytes, flags: cursors.map((cursor) => cursor.flags) };
    for (const cursor of cursors) cursor.remainingBytes -= lengthBytes;
    remainingBytes -= lengthBytes;
  }
}

/** How far `overlay` of the same arguments goes. */
export function coveredBytes(contexts: readonly Buffer[], lengthBytesMax: number): number {
  let covered = lengthBytesMax;
  for (const descriptors of contexts) {
    let total = 0;
    for (let at = 0; at < descriptors.length && total < covered; at += descriptorBytes) {
      total += descriptors.readUInt32BE(at);
    }
    covered = Math.min(covered, total);
  }
  return covered;
}

class DescriptorCursor {
  remainingBytes = 0;
  flags = 0;
  #at = 0;

  constructor(private readonly descriptors: Buffer) {}

  /** Goes on to the next descriptor if this one is used up, past empty ones. @returns false at the end */
  load(): boolean {
    while (this.remainingBytes === 0) {
      if (this.#at === this.descriptors.length) return false;
      this.remainingBytes = this.descriptors.readUInt32BE(this.#at);
      this.flags = this.descriptors.readUInt32BE(this.#at + 4);
      this.#at += descriptorBytes;
    }
    return true;
  }
}
