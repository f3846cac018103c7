import type { BlockRecorder } from './block-recorder.js';
import type { BlockHashing } from './digest-series.js';
import type { Observation } from './observation.js';
import type { HashLane } from './hash-workers.js';
import type { OperationDigests } from './operation-digests.js';

export interface BodyDigestsOptions extends BlockHashing {
  readonly digests: OperationDigests;
  readonly lane: HashLane;
  /** Where the image ends, whose last block may be shorter. */
  readonly endBytes: number;
}

interface OpenBlock {
  readonly offsetBytes: number;
  readonly endBytes: number;
  readonly observation: Observation;
  /** Of each piece: whether all of it is in storage. */
  readonly written: Promise<boolean>[];
}

/**
 * Hashes the whole blocks of an upload while they arrive, and keeps their digests. A block of which the
 * upload has only a part is not hashed. Failing to hash fails nothing else: then nothing is kept.
 */
export class BodyDigests implements BlockRecorder {
  readonly #finishing = new Set<Promise<void>>();
  readonly #updates = new Set<Promise<void>>();
  #block: OpenBlock | undefined;
  #failed = false;

  constructor(private readonly options: BodyDigestsOptions) {}

  async add(data: Uint8Array, offsetBytes: number, written: Promise<boolean>): Promise<void> {
    const { lane, blockSizeBytes } = this.options;
    const endBytes = offsetBytes + data.length;
    const updates: Promise<void>[] = [];
    for (let start = offsetBytes; start < endBytes;) {
      const blockEnd = Math.min(start - (start % blockSizeBytes) + blockSizeBytes, this.options.endBytes);
      const partEnd = Math.min(blockEnd, endBytes);
      if (start % blockSizeBytes === 0) this.#begin(start, blockEnd);
      if (this.#block !== undefined && !this.#failed) {
        this.#block.written.push(written);
        updates.push(this.#update(lane.update(data.subarray(start - offsetBytes, partEnd - offsetBytes))));
        if (partEnd === blockEnd) this.#finish(this.#block);
      }
      start = partEnd;
    }
    await Promise.all(updates);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#finishing);
  }

  async end(): Promise<void> {
    this.#block?.observation.end();
    this.#block = undefined;
    await Promise.all([...this.#updates, ...this.#finishing]);
    this.options.lane.close();
  }

  #begin(offsetBytes: number, endBytes: number): void {
    const range = { offsetBytes, lengthBytes: endBytes - offsetBytes };
    const observation = this.options.digests.observeWritten(range);
    this.#block = { offsetBytes, endBytes, observation, written: [] };
  }

  #update(update: Promise<void>): Promise<void> {
    const settled = update.catch(() => {
      this.#failed = true;
    });
    this.#updates.add(settled);
    return settled.finally(() => this.#updates.delete(settled));
  }

  #finish({ observation, written }: OpenBlock): void {
    this.#block = undefined;
    const { digests, lane } = this.options;
    const keep = async (): Promise<void> => {
      try {
        const [digest, ...whole] = await Promise.all([lane.digest(), ...written]);
        if (this.#failed || !whole.every(Boolean)) return;
        digests.keep(observation, this.options, digest);
      } catch {
        // Storage or the thread has failed: nothing is known of the block.
      } finally {
        observation.end();
      }
    };
    const finishing = keep().finally(() => this.#finishing.delete(finishing));
    this.#finishing.add(finishing);
  }
}
