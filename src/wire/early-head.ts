import { once } from 'node:events';
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
const pieceCharacters = 64 * KiB;

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
  /** Text that was not handed to the connection. */
  #held = '';
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
  write(text: string): Promise<void> | undefined {
    this.#held += text;
    return this.#held.length < pieceCharacters || this.#sendHeld() ? undefined : this.#room();
  }

  /**
   * Ends the body, and the response.
   * @throws ClientGoneError, or the reason for which the exchange was aborted
   */
  end(text = ''): void {
    this.stop();
    this.#throwIfOver();
    const { response } = this.#exchange;
    if (response.headersSent) response.end(this.#held + text);
    else this.#exchange.send(200, this.#headers, this.#held + text);
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
    if (this.#held === '' && response.headersSent && !isSilent) return;
    this.#held ||= space;
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
    const text = this.#held;
    this.#held = '';
    this.#sentAt = performance.now();
    return response.write(text);
  }

  async #room(): Promise<void> {
    const { response, signal } = this.#exchange;
    const room = new AbortController();
    try {
      const drained = once(response, 'drain', { signal: room.signal });
      await this.#exchange.waitForClient(abortable(drained, signal));
    } finally {
      room.abort();
    }
  }

  #throwIfOver(): void {
    this.#exchange.signal.throwIfAborted();
    if (this.#exchange.response.destroyed) throw new ClientGoneError();
  }
}
