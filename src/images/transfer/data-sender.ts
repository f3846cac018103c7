import { TLSSocket } from 'node:tls';
import { ClientGoneError } from '../../base/errors.js';
import type { Exchange } from '../../wire/exchange.js';
import { unacknowledgedBytes } from '../../node-internals/socket-descriptor.js';
import { KiB } from '../../base/units.js';
import type { Company } from './buffer-set.js';

/**
 * TLS encrypts all that it is given before the kernel gets any of it, which takes as much memory again. Half
 * a megabyte takes a tenth less CPU than a quarter; a quarter takes 12 MiB less memory for 16 downloads than
 * a whole buffer. A hundred downloads that nobody reads held 28 MiB in quarters.
 */
const encryptedAtOnceBytes: Readonly<Record<Company, number>> = {
  few: 512 * KiB,
  many: 256 * KiB,
  crowd: 64 * KiB,
};

/**
 * Sends the pieces of one response body, each straight from the caller's buffer. Listens for
 * the end of connection and operation once for all of them: a listener for each piece costs as
 * much as handing it to the socket.
 */
export class DataSender {
  readonly #exchange: Exchange;
  readonly #signal: AbortSignal;
  /** How much the socket is given at once. */
  readonly #stepBytes: number;
  /** What the socket was not given yet of the piece. */
  #rest: Uint8Array = new Uint8Array();
  #isLastPiece = false;
  /** The socket is still reading the piece that was given to it last. */
  #pieceInUse = false;
  /** Of the piece that is being sent. */
  #sent: PromiseWithResolvers<undefined> | undefined;
  #idle: (() => void) | undefined;
  /** How often the socket has taken all that it was given. */
  #steps = 0;
  /**
   * What was seen at the last look: the number of steps, and how many bytes the client
   * had not acknowledged.
   */
  #seen = { steps: 0, unacknowledgedBytes: 0 };

  /**
   * @param options.signal gives up waiting for the client; its reason is what `send` rejects with
   * @param options.company how many other transfers there are
   */
  constructor(
    exchange: Exchange,
    { signal, company }: { readonly signal: AbortSignal; readonly company: Company },
  ) {
    this.#exchange = exchange;
    this.#signal = signal;
    this.#stepBytes = exchange.request.socket instanceof TLSSocket ? encryptedAtOnceBytes[company] : Infinity;
    // A write that is queued when the connection closes is never called back.
    exchange.response.once('close', this.#onClose);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /**
   * Resolves when the kernel has taken all of `data`, so that its memory can be used again. When it rejects
   * the memory is still in use until `finish` has resolved.
   * @param last ends the response with it
   * @throws ClientGoneError, or the reason of the signal
   */
  async send(data: Uint8Array, last: boolean): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.#exchange.response.destroyed) throw new ClientGoneError();
    const sent = Promise.withResolvers<undefined>();
    this.#sent = sent;
    this.#pieceInUse = true;
    this.#rest = data;
    this.#isLastPiece = last;
    this.#writeStep();
    await this.#exchange.waitForClient(sent.promise);
  }

  /**
   * Whether the client has taken anything since the last look, or is not waited for. The kernel takes more
   * only when a third of its buffer is free again, which is long for a client that reads slowly: so what it
   * has acknowledged counts.
   */
  hasMoved(): boolean {
    if (!this.#pieceInUse) return true;
    const { steps, unacknowledgedBytes: seenBytes } = this.#seen;
    const stuckBytes = unacknowledgedBytes(this.#exchange.request.socket) ?? 0;
    this.#seen = { steps: this.#steps, unacknowledgedBytes: stuckBytes };
    return steps !== this.#steps || stuckBytes < seenBytes;
  }

  /**
   * No more pieces. Resolves when the socket uses no memory of ours: all was sent, or
   * the connection is closed.
   */
  async finish(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort);
    if (this.#pieceInUse) await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#exchange.response.off('close', this.#onClose);
  }

  #writeStep(): void {
    const { response } = this.#exchange;
    const step = this.#rest.subarray(0, this.#stepBytes);
    this.#rest = this.#rest.subarray(step.length);
    if (this.#isLastPiece && this.#rest.length === 0) response.end(step, this.#onWritten);
    else response.write(step, this.#onWritten);
  }

  readonly #onWritten = (error?: Error | null): void => {
    this.#steps += 1;
    const waitsForMore = this.#sent !== undefined && !error;
    if (waitsForMore && this.#rest.length > 0) {
      this.#writeStep();
      return;
    }
    this.#pieceInUse = false;
    this.#finishPiece(error ? new ClientGoneError() : undefined);
    this.#idle?.();
  };

  readonly #onClose = (): void => {
    if (this.#pieceInUse) this.#onWritten(new ClientGoneError());
  };

  readonly #onAbort = (): void => {
    this.#finishPiece(this.#signal.reason as Error);
  };

  #finishPiece(error?: Error): void {
    const sent = this.#sent;
    this.#sent = undefined;
    if (error === undefined) sent?.resolve(undefined);
    else sent?.reject(error);
  }
}
