import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';

import type { HashReply, HashRequest } from './hash-worker.js';

/** One hash being computed in another thread. Calls may be made without waiting for the ones before. */
export interface HashLane {
  /** @param data shared memory (as of the buffer pool); not to be changed until the promise settles */
  update(data: Uint8Array): Promise<void>;
  /** Ends the message; the next update begins another. */
  digest(): Promise<Uint8Array>;
  /** Forgets the hash. Called once, when no call is pending. */
  close(): void;
}

interface PendingCall {
  readonly resolve: (reply: HashReply) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The threads that hash, so that the event loop stays free for sockets. They are started when first
 * needed, keep the process alive only while a lane is open, and one that dies fails its lanes and
 * is replaced for the next ones.
 */
export class HashWorkers {
  readonly #threads = new Set<HashThread>();
  #lastLane = 0;

  /** @param threadsMax each can hash for any number of checksums, by turns */
  constructor(private readonly threadsMax = 2) {}

  openLane(algorithm: string): HashLane {
    this.#lastLane += 1;
    return this.#leastLoaded().openLane(this.#lastLane, algorithm);
  }

  /** Ends the threads; calls that are pending fail. */
  async close(): Promise<void> {
    await Promise.all([...this.#threads].map((thread) => thread.terminate()));
  }

  #leastLoaded(): HashThread {
    if (this.#threads.size < this.threadsMax) {
      const thread = new HashThread(() => this.#threads.delete(thread));
      this.#threads.add(thread);
      return thread;
    }
    return [...this.#threads].reduce((least, other) => (other.laneCount < least.laneCount ? other : least));
  }
}

class HashThread {
  readonly #worker = new Worker(new URL('./hash-worker.js', import.meta.url));
  /** Per lane, because the answers to one lane come in the order of its calls. */
  readonly #lanes = new Map<number, PendingCall[]>();
  #death: Error | undefined;

  constructor(onDeath: () => void) {
    this.#worker.unref();
    this.#worker.on('message', (reply: HashReply) => {
      this.#lanes.get(reply.lane)?.shift()?.resolve(reply);
    });
    const die = (death: Error) => {
      this.#death ??= death;
      onDeath();
      for (const call of [...this.#lanes.values()].flat()) {
        call.reject(this.#death);
      }
    };
    this.#worker.on('error', (cause: unknown) => {
      die(new Error('a hash thread failed', { cause }));
    });
    this.#worker.on('exit', () => {
      die(new Error('a hash thread has ended'));
    });
  }

  get laneCount(): number {
    return this.#lanes.size;
  }

  openLane(lane: number, algorithm: string): HashLane {
    this.#lanes.set(lane, []);
    this.#worker.ref();
    this.#post({ kind: 'open', lane, algorithm });
    return {
      update: async (data) => {
        assert.ok(data.buffer instanceof SharedArrayBuffer, 'memory of a hash lane is shared, not copied');
        await this.#call({ kind: 'update', lane, data });
      },
      digest: async () => {
        const { digest } = await this.#call({ kind: 'digest', lane });
        assert.ok(digest !== undefined);
        return digest;
      },
      close: () => {
        this.#post({ kind: 'close', lane });
        this.#lanes.delete(lane);
        if (this.#lanes.size === 0) {
          this.#worker.unref();
        }
      },
    };
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #call(request: HashRequest): Promise<HashReply> {
    return new Promise((resolve, reject) => {
      if (this.#death !== undefined) {
        reject(this.#death);
        return;
      }
      this.#lanes.get(request.lane)?.push({ resolve, reject });
      this.#post(request);
    });
  }

  #post(request: HashRequest): void {
    this.#worker.postMessage(request);
  }
}
