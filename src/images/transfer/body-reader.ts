import { pushDirectly } from '../../node-internals/direct-push.js';
import type { Exchange } from '../../wire/exchange.js';
import { releaseMemory } from '../../node-internals/release-memory.js';

/**
 * What arrived is written when nothing more came for this long, or up to twice as long. Data that lies in
 * memory is of no use to anybody and lost with the connection; but a sender that is only a little slower
 * than we are must not have each of its TLS records written by itself.
 */
const restMilliseconds = 20;
/**
 * A trickle without such pauses is written at least every second, or its ticket would expire while it moves.
 */
const restsMax = 1000 / restMilliseconds;

/**
 * Moves a request body into buffers of the caller's, and stops reading from the socket while there is none:
 * at most one chunk of the socket is kept over. Plain events instead of an async iterator, which costs a
 * promise for each 16 KiB of TLS data.
 */
export class BodyReader {
  readonly #exchange: Exchange;
  readonly #signal: AbortSignal;
  readonly #kept: Buffer<ArrayBuffer>[] = [];
  #target: Uint8Array | undefined;
  #filledBytes = 0;
  #ended = false;
  #rest: NodeJS.Timeout | undefined;
  #givenUp: { readonly reason: unknown } | undefined;
  /**
   * Settled by a full target, by data without one, by the end or the breaking of the body, or by the signal.
   */
  #filled: PromiseWithResolvers<undefined> | undefined;

  /** @param signal gives up waiting for the client; its reason is what `fill` rejects with */
  constructor(exchange: Exchange, signal: AbortSignal) {
    this.#exchange = exchange;
    this.#signal = signal;
    const { request } = exchange;
    pushDirectly(request);
    request.pause();
    request.on('data', this.#onData);
    request.pause();
    request.once('end', this.#onEnd);
    request.once('body-broken', this.#onEnd);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The body will not be completed as promised; what arrived of it can still be read. */
  get broken(): Error | undefined {
    return this.#exchange.bodyBroken;
  }

  /**
   * Waits until something has arrived.
   * @returns false when nothing is left of the body, or of what arrived of a broken one
   */
  async arrival(): Promise<boolean> {
    this.#throwIfOver();
    if (this.#kept.length === 0 && !this.#ended && this.broken === undefined) await this.#receive();
    if (this.broken !== undefined) this.#takeBuffered();
    return this.#kept.length > 0;
  }

  /**
   * Fills `target` from the body, or a part of it when nothing more comes for the moment.
   * @returns how many bytes; at least one after an arrival
   */
  async fill(target: Uint8Array): Promise<number> {
    this.#throwIfOver();
    this.#target = target;
    this.#filledBytes = 0;
    for (let chunk = this.#kept.shift(); chunk !== undefined; chunk = this.#kept.shift()) {
      if (!this.#take(chunk)) break;
    }
    if (this.#filledBytes < target.length && !this.#ended && this.broken === undefined) {
      if (this.#filledBytes > 0) this.#awaitRest();
      await this.#receive();
    }
    if (this.broken !== undefined) this.#takeBuffered();
    this.#target = undefined;
    return this.#filledBytes;
  }

  /** The body is of no use any more: whoever waits for it, now or later, gets `reason`. */
  giveUp(reason: unknown): void {
    this.#givenUp ??= { reason };
    this.#exchange.request.pause();
    this.#finish(reason);
  }

  /** Reads no more. What is left of the body is the connection's to drop. */
  stop(): void {
    const { request } = this.#exchange;
    request.off('data', this.#onData).off('end', this.#onEnd).off('body-broken', this.#onEnd);
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  #throwIfOver(): void {
    this.#signal.throwIfAborted();
    if (this.#givenUp !== undefined) throw this.#givenUp.reason;
  }

  /** Reads from the socket until the target is full, something has arrived for none, or the body is over. */
  async #receive(): Promise<void> {
    const filled = Promise.withResolvers<undefined>();
    this.#filled = filled;
    this.#exchange.request.resume();
    await this.#exchange.waitForClient(filled.promise);
  }

  /** Copies what fits and keeps the rest. @returns whether the target takes more */
  #take(chunk: Buffer<ArrayBuffer>): boolean {
    const target = this.#target;
    if (target === undefined) {
      this.#kept.push(chunk);
      return false;
    }
    const space = target.length - this.#filledBytes;
    if (chunk.length <= space) {
      // Not `set`, which moves bytes one by one into memory that is shared with the hash workers.
      chunk.copy(target, this.#filledBytes);
      this.#filledBytes += chunk.length;
      releaseMemory(chunk);
    } else {
      chunk.copy(target, this.#filledBytes, 0, space);
      this.#filledBytes = target.length;
      this.#kept.unshift(chunk.subarray(space));
    }
    return this.#filledBytes < target.length;
  }

  /**
   * Finishes when as much has arrived as at the last look, between which and this one the socket was read
   * from.
   */
  #awaitRest(rests = 0, seenBytes = -1): void {
    this.#rest = setTimeout(() => {
      if (this.#filledBytes > seenBytes && rests < restsMax) {
        this.#awaitRest(rests + 1, this.#filledBytes);
        return;
      }
      this.#exchange.request.pause();
      this.#finish();
    }, restMilliseconds);
  }

  /**
   * What arrived before the body broke may still be in the stream's own buffer, and
   * nothing will make it flow any more.
   */
  #takeBuffered(): void {
    const { request } = this.#exchange;
    // `read` hands what it returns to the data listener as well.
    while (this.#hasRoom() && request.read() !== null);
  }

  #hasRoom(): boolean {
    const target = this.#target;
    return target === undefined ? this.#kept.length === 0 : this.#filledBytes < target.length;
  }

  readonly #onData = (chunk: Buffer<ArrayBuffer>): void => {
    if (this.#take(chunk)) {
      // Nobody waits for what is taken out of the stream's own buffer at the end.
      if (this.#rest === undefined && this.#filled !== undefined) this.#awaitRest();
      return;
    }
    this.#exchange.request.pause();
    this.#finish();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#finish();
  };

  readonly #onAbort = (): void => {
    this.#finish(this.#signal.reason);
  };

  #finish(error?: unknown): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    const filled = this.#filled;
    this.#filled = undefined;
    if (error === undefined) filled?.resolve(undefined);
    else filled?.reject(error);
  }
}
