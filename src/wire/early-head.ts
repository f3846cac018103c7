import { abortable } from '../base/abortable.js';
import { ClientGoneError } from '../base/errors.js';
import { KiB } from '../base/units.js';
import type { Exchange } from './exchange.js';
import { signsOfLifeInterval } from './signs-of-life.js';

export interface EarlyHeadTimes {
  /** When the head leaves, in milliseconds from `start`, with whatever there is of the body. */
  readonly headAfterMs: number;
  /** How long text that is there may wait for more of it, once the head has left. */
  readonly textWaitsMs: number;
  /** How often something leaves when there is no text, or as often as a peer asked for signs of life. */
  readonly spaceEachMs: number;
}

/** Within a second, of which a proxy on the way, which waits a little longer by itself, needs something. */
const usualTimes: EarlyHeadTimes = { headAfterMs: 750, textWaitsMs: 1000, spaceEachMs: 5000 };

// A body of this length is sent whole, with its length; longer ones are streamed in such pieces.
const pieceBytes = 64 * KiB;

/** White space that JSON allows around each of its values (RFC 8259 section 2). */
const space = ' ';

/**
 * The answer of an operation whose result may be later than clients wait (docs/protocol.md, "Early heads"):
 * the head of a 200 leaves soon, then white space until there is a result. A result that is there before is
 * sent whole, with its length, and a failure before is a refusal with its status. Owns head and body of the
 * response, and the timer.
 */
export class EarlyHead {
  readonly #exchange: Exchange;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #times: EarlyHeadTimes;
  /**
   * Text that was not handed to the connection. It is bytes, which V8 frees when they are sent: the strings
   * of a list of a million items grew its heap by all of their text.
   */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #sentAt = 0;
  readonly #spaceEachMs: number;

  /** @param headers of the answer, without its length */
  constructor(
    exchange: Exchange,
    headers: Readonly<Record<string, string>>,
    times: EarlyHeadTimes = usualTimes,
  ) {
    this.#exchange = exchange;
    this.#headers = headers;
    this.#times = times;
    const { spaceEachMs } = times;
    this.#spaceEachMs = Math.min(spaceEachMs, (signsOfLifeInterval(exchange.request) ?? Infinity) * 1000);
  }

  /**
   * Nothing that a client has to be told by a status is expected any more: the head may leave on its own.
   * Idempotent.
   */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(this.#onTime, this.#times.headAfterMs);
    this.#exchange.response.once('close', this.#onClose);
  }

  /** The timer rests: somebody else writes to the response from now on. Idempotent. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#exchange.response.off('close', this.#onClose);
  }

  /**
   * Adds to the body, which leaves in pieces.
   * @returns undefined, or what to wait for when the client has not taken what there was
   * @throws ClientGoneError, or the reason for which the exchange was aborted; what is returned as well
   */
  write(text: string | readonly Uint8Array[]): Promise<void> | undefined {
    this.#hold(text);
    return this.#heldBytes < pieceBytes || this.#sendHeld() ? undefined : this.#room();
  }

  /**
   * Ends the body, and the response.
   * @throws ClientGoneError, or the reason for which the exchange was aborted
   */
  end(text: string | readonly Uint8Array[] = ''): void {
    this.stop();
    this.#throwIfOver();
    this.#hold(text);
    const { response } = this.#exchange;
    const rest = Buffer.concat(this.#takeHeld());
    if (response.headersSent) response.end(rest);
    else this.#exchange.send(200, this.#headers, rest);
  }

  readonly #onTime = (): void => {
    this.#timer = setTimeout(this.#onTime, this.#times.textWaitsMs);
    const { request, response, signal } = this.#exchange;
    if (signal.aborted || response.destroyed) return;
    // A client that does not read gets no more, so that nothing piles up.
    if (response.writableLength > 0 || request.socket.writableLength > 0) return;
    // Timers are not exact, and the next look would be too late.
    const silentMs = performance.now() - this.#sentAt + this.#times.textWaitsMs / 2;
    const isSilent = silentMs >= this.#spaceEachMs;
    if (this.#heldBytes === 0 && response.headersSent && !isSilent) return;
    if (this.#heldBytes === 0) this.#hold(space);
    this.#sendHeld();
  };

  readonly #onClose = (): void => {
    this.stop();
  };

  /** @returns whether the connection has room for more */
  #sendHeld(): boolean {
    this.#throwIfOver();
    const { response } = this.#exchange;
    if (!response.headersSent) {
      this.#exchange.settleFraming();
      response.writeHead(200, { ...this.#headers });
    }
    this.#sentAt = performance.now();
    return response.write(Buffer.concat(this.#takeHeld()));
  }

  #hold(text: string | readonly Uint8Array[]): void {
    const pieces = typeof text === 'string' ? [Buffer.from(text)] : text;
    for (const piece of pieces) {
      this.#held.push(piece);
      this.#heldBytes += piece.length;
    }
  }

  #takeHeld(): readonly Uint8Array[] {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    return held;
  }

  async #room(): Promise<void> {
    const { response, signal } = this.#exchange;
    // Plainly, because an abort controller for each piece of a long list is more garbage than its items.
    const drained = Promise.withResolvers<undefined>();
    const resolve = (): void => {
      drained.resolve(undefined);
    };
    response.once('drain', resolve);
    try {
      await this.#exchange.waitForClient(abortable(drained.promise, signal));
    } finally {
      response.off('drain', resolve);
    }
  }

  #throwIfOver(): void {
    this.#exchange.signal.throwIfAborted();
    if (this.#exchange.response.destroyed) throw new ClientGoneError();
  }
}
