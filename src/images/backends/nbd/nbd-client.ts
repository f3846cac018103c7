import type { ByteRange } from '../../../base/units.js';
import { type CommandName, encodeRequest, noHoleFlag } from './nbd-codec.js';
import { NbdConnectionError, NbdProtocolError } from './nbd-errors.js';
import { NbdHandshakeReader } from './nbd-handshake-reader.js';
import { type NbdExport, negotiate } from './nbd-handshake.js';
import { type BlockStatus, PendingRequest, type RequestOptions } from './nbd-pending-request.js';
import { NbdReplyReader } from './nbd-reply-reader.js';
import { type ByteConsumer, NbdSocket } from './nbd-socket.js';
import type { NbdLocation } from './nbd-url.js';

export interface NbdClientOptions {
  readonly location: NbdLocation;
  /** Select the dirty bitmap of the export, if it has one. */
  readonly dirtyBitmap: boolean;
  /**
   * How long connecting and the handshake may take. Requests have no limit: only the
   * server knows what became of them.
   */
  readonly connectTimeoutSeconds: number;
  /** Gives up connecting and the handshake at once. Of no effect on a connection that was made. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * One connection to an NBD export. Any number of requests may be in flight; each method sends one, within the
 * block sizes of the export, and settles when the server has answered it or the connection has ended.
 *
 * A request that the server refuses fails with NbdRequestError, or NoSpaceError, and the connection goes
 * on. Anything else ends the connection: every pending and later request fails with NbdConnectionError.
 */
export class NbdClient implements ByteConsumer {
  readonly #socket: NbdSocket;
  readonly #pending = new Map<number, PendingRequest>();
  readonly #replies: NbdReplyReader;
  #lastCookie = 0;
  #closedReason: NbdConnectionError | undefined;
  /** Called once, when the connection has ended, whoever ended it. */
  onClosed: (() => void) | undefined;

  private constructor(
    socket: NbdSocket,
    readonly info: NbdExport,
  ) {
    this.#socket = socket;
    this.#replies = new NbdReplyReader(this.#pending, this.info.structuredReplies);
    socket.attach(this);
  }

  /**
   * @throws NbdConnectionError when there is no server, it refuses the export, does not answer in time or
   *   was given up
   */
  static async connect({
    location,
    dirtyBitmap,
    connectTimeoutSeconds,
    signal,
  }: NbdClientOptions): Promise<NbdClient> {
    const attempt = new AbortController();
    const timer = setTimeout(() => {
      attempt.abort(
        new NbdConnectionError(`The NBD server did not answer within ${connectTimeoutSeconds} s`, {
          trouble: 'storage_silent',
        }),
      );
    }, connectTimeoutSeconds * 1000);
    const giveUp = (): void => {
      attempt.abort(
        new NbdConnectionError('Connecting to the NBD server was given up', { cause: signal?.reason }),
      );
    };
    if (signal?.aborted === true) giveUp();
    signal?.addEventListener('abort', giveUp);
    try {
      const reader = new NbdHandshakeReader();
      const socket = await NbdSocket.connect(location.address, reader, attempt.signal);
      return new NbdClient(
        socket,
        await greet(socket, reader, { exportName: location.exportName, dirtyBitmap }),
      );
    } finally {
      clearTimeout(timer);
      // From here on the connection may carry writes, whose outcome only the server knows: nothing may cut
      // it any more.
      signal?.removeEventListener('abort', giveUp);
    }
  }

  /** The address of the server; undefined for one on a unix socket. */
  get peer(): string | undefined {
    return this.#socket.peer;
  }

  /** The connection has ended, and a new one is needed for more requests. */
  get isClosed(): boolean {
    return this.#closedReason !== undefined;
  }

  /** The read that was answered last had a hole in it, if the server reports holes. */
  get lastReadHadHole(): boolean {
    return this.#replies.lastReadHadHole;
  }

  /** Fills all of `target`. */
  async read(target: Uint8Array, offsetBytes: number): Promise<void> {
    const range = { offsetBytes, lengthBytes: target.length };
    await this.#request({ command: 'read', range, target });
  }

  /** When it settles, whatever the outcome, `source` is not needed any more. */
  async write(source: Uint8Array, offsetBytes: number): Promise<void> {
    await this.#request({ command: 'write', range: { offsetBytes, lengthBytes: source.length } }, { source });
  }

  /** @param options.noHole keep or make the range allocated */
  async writeZeroes(range: ByteRange, { noHole }: { readonly noHole: boolean }): Promise<void> {
    await this.#request({ command: 'writeZeroes', range }, { flags: noHole ? noHoleFlag : 0 });
  }

  async flush(): Promise<void> {
    await this.#request({ command: 'flush', range: { offsetBytes: 0, lengthBytes: 0 } });
  }

  /**
   * Asks what the negotiated contexts say of the range: the server may answer for less of it, or for more.
   */
  blockStatus(range: ByteRange): Promise<BlockStatus> {
    return this.#request({ command: 'blockStatus', range, contextIds: Object.values(this.info.contexts) });
  }

  /** Says goodbye and closes the connection. To be called when no request is in flight. */
  async disconnect(): Promise<void> {
    if (this.#closedReason !== undefined) return;
    await this.#socket.send(this.#encode('disconnect', { offsetBytes: 0, lengthBytes: 0 }, 0));
    this.#socket.destroy(new NbdConnectionError('The connection was closed by this side'));
  }

  /**
   * Ends the connection at once. Every request in flight fails, and nothing more is received into the target
   * of any.
   */
  destroy(): void {
    this.#socket.destroy(new NbdConnectionError('The connection was given up by this side'));
  }

  directTarget(): Uint8Array | undefined {
    return this.#replies.directTarget();
  }

  filled(count: number): void {
    this.#replies.filled(count);
  }

  consume(bytes: Buffer): void {
    this.#replies.consume(bytes);
  }

  closed(reason: NbdConnectionError): void {
    this.#closedReason = reason;
    for (const request of this.#pending.values()) request.fail(reason);
    this.#pending.clear();
    this.onClosed?.();
  }

  async #request(
    options: RequestOptions,
    { flags = 0, source }: { readonly flags?: number; readonly source?: Uint8Array } = {},
  ): Promise<BlockStatus> {
    if (this.#closedReason !== undefined) throw this.#closedReason;
    const header = this.#encode(options.command, options.range, flags);
    const request = new PendingRequest(options);
    this.#pending.set(this.#lastCookie, request);
    if (source === undefined) {
      this.#socket.post(header);
      return request.settled;
    }
    const sent = this.#socket.send(header, source);
    try {
      return await request.settled;
    } finally {
      // A server may refuse a write before it has read all of it.
      await sent;
    }
  }

  #encode(command: CommandName, { offsetBytes, lengthBytes }: ByteRange, flags: number): Buffer {
    this.#lastCookie += 1;
    return encodeRequest({ command, flags, cookie: this.#lastCookie, offsetBytes, lengthBytes });
  }
}

async function greet(
  socket: NbdSocket,
  reader: NbdHandshakeReader,
  wanted: { readonly exportName: string; readonly dirtyBitmap: boolean },
): Promise<NbdExport> {
  try {
    const channel = {
      read: (lengthBytes: number) => reader.read(lengthBytes),
      send: (bytes: Buffer) => {
        socket.post(bytes);
      },
    };
    const nbdExport = await negotiate(channel, wanted);
    if (reader.unreadBytes > 0) throw new NbdProtocolError('bytes after the end of the handshake');
    return nbdExport;
  } catch (error: unknown) {
    socket.destroy(
      error instanceof NbdConnectionError
        ? error
        : new NbdConnectionError('The handshake failed', { cause: error }),
    );
    throw error;
  }
}
