import assert from 'node:assert/strict';
import type { ByteRange } from '../../src/base/units.js';
import { KiB, MiB } from '../../src/base/units.js';
import type { Address } from '../support/address.js';
import { ImagesClient } from '../support/client.js';
import type { SeededRandom } from '../support/random.js';

/** What a download ended as. */
export type Outcome =
  | { readonly kind: 'whole'; readonly part: ByteRange; readonly bytes: Buffer; readonly startedAt: number }
  | { readonly kind: 'refused'; readonly status: number }
  /** The answer had begun. */
  | { readonly kind: 'cut' }
  /** No answer came. */
  | { readonly kind: 'gone' };

/** What came of a whole download is what the image has. */
export function assertBytesOf(image: Buffer, { part, bytes }: Extract<Outcome, { kind: 'whole' }>): void {
  const { offsetBytes, lengthBytes } = part;
  assert.ok(image.subarray(offsetBytes, offsetBytes + lengthBytes).equals(bytes), 'other bytes');
}

/** One client with one connection, which downloads random parts of an image, one after the other. */
export class Downloader {
  readonly #client: ImagesClient;
  readonly #stop = new AbortController();

  constructor(
    address: Address,
    private readonly path: string,
    private readonly sizeBytes: number,
    private readonly random: SeededRandom,
  ) {
    this.#client = new ImagesClient(address, { connectionsMax: 1 });
  }

  /** Downloads until it is told to stop, or cannot go on. */
  async run(take: (outcome: Outcome) => void): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const outcome = await this.once();
      take(outcome);
      if (outcome.kind !== 'whole') return;
    }
  }

  async once(): Promise<Outcome> {
    const startedAt = performance.now();
    const part = randomPart(this.random, this.sizeBytes);
    const last = part.offsetBytes + part.lengthBytes - 1;
    const headers = { Range: `bytes=${part.offsetBytes}-${last}` };
    const response = await this.#client.open('GET', this.path, { headers }).catch(() => undefined);
    if (response === undefined) return { kind: 'gone' };
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of response) chunks.push(chunk as Buffer);
    } catch {
      return { kind: 'cut' };
    }
    if (response.statusCode !== 206) return { kind: 'refused', status: response.statusCode ?? 0 };
    const bytes = Buffer.concat(chunks);
    assert.equal(bytes.length, part.lengthBytes);
    return { kind: 'whole', part, bytes, startedAt };
  }

  stop(): void {
    this.#stop.abort();
  }

  close(): void {
    this.stop();
    this.#client.close();
  }
}

/** Most of them small, as those of an incremental backup. */
function randomPart(random: SeededRandom, sizeBytes: number): ByteRange {
  const lengthMax = Math.min(random.of([1, 700, 4 * KiB, 70 * KiB, 3 * MiB]), sizeBytes);
  const lengthBytes = 1 + random.below(lengthMax);
  return { offsetBytes: random.below(sizeBytes - lengthBytes + 1), lengthBytes };
}
