import { Worker } from 'node:worker_threads';

import type { ExtentEnd, FilePart } from './extents-walk.js';
import type { WalkRequest } from './walk-worker.js';

/** Ends that a thread finds at once: as many as the event loop makes into text in a millisecond or two. */
const endsMax = 1024;

/** How long a thread that nobody needs is kept: its start takes 10 ms, and it has some MiB. */
const idleMilliseconds = 10_000;

/**
 * The threads that find the extents of files. A look at the file takes a microsecond where it is cheap, and
 * through libuv's thread pool seventy times that; in the event loop it could not be, since of storage that is
 * slow nobody knows how long it takes. They only make it faster: who finds none free looks by itself, so
 * storage that never answers takes them from others, and nothing else. Started when needed, and ended when
 * nobody does for a while; only one that is at work keeps the process alive.
 */
export class WalkThreads {
  readonly #idle: WalkThread[] = [];
  #count = 0;

  constructor(private readonly threadsMax = 2) {}

  /**
   * @param fd open until the promise settles
   * @param part of some length
   * @returns some of the ends in it, in order and at least one; `undefined` when all threads are busy
   */
  walk(fd: number, part: FilePart): Promise<readonly ExtentEnd[]> | undefined {
    const thread = this.#idle.pop() ?? this.#start();
    return thread === undefined ? undefined : this.#use(thread, { fd, part });
  }

  async #use(thread: WalkThread, request: WalkRequest): Promise<readonly ExtentEnd[]> {
    const ends = await thread.walk(request);
    this.#idle.push(thread);
    return ends;
  }

  #start(): WalkThread | undefined {
    if (this.#count >= this.threadsMax) return undefined;
    this.#count += 1;
    const thread: WalkThread = new WalkThread(() => {
      this.#count -= 1;
      const index = this.#idle.indexOf(thread);
      if (index >= 0) this.#idle.splice(index, 1);
    });
    return thread;
  }
}

class WalkThread {
  readonly #ends = new Float64Array(new SharedArrayBuffer(endsMax * Float64Array.BYTES_PER_ELEMENT));
  readonly #worker = new Worker(new URL('./walk-worker.js', import.meta.url), { workerData: this.#ends });
  #asked: PromiseWithResolvers<number> | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  /** @param onEnd called once, when it can do nothing more */
  constructor(onEnd: () => void) {
    this.#worker.on('message', (count: number) => this.#asked?.resolve(count));
    this.#worker.on('error', (cause: unknown) => {
      this.#asked?.reject(new Error('a thread that finds extents failed', { cause }));
    });
    this.#worker.once('exit', () => {
      clearTimeout(this.#idleTimer);
      this.#asked?.reject(new Error('a thread that finds extents has ended'));
      onEnd();
    });
  }

  async walk(request: WalkRequest): Promise<readonly ExtentEnd[]> {
    clearTimeout(this.#idleTimer);
    this.#worker.ref();
    const asked = Promise.withResolvers<number>();
    this.#asked = asked;
    this.#worker.postMessage(request);
    const count = await asked.promise;
    this.#asked = undefined;
    this.#worker.unref();
    this.#idleTimer = setTimeout(() => void this.#worker.terminate(), idleMilliseconds);
    this.#idleTimer.unref();
    return Array.from(this.#ends.subarray(0, count));
  }
}
