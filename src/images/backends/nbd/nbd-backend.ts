import { setImmediate } from 'node:timers/promises';
import { StorageError } from '../../../base/errors.js';
import type { ByteRange } from '../../../base/units.js';
import type { Backend, Extent, ExtentContext, StorageRoom, UnflushedWrites } from '../backend.js';
import type { RangeLock } from '../range-lock.js';
import { type BlockIo, readRange, writeRange, zeroRange } from './nbd-block-io.js';
import type { NbdClient } from './nbd-client.js';
import { type AskBlockStatus, nbdExtents } from './nbd-extents.js';
import type { ServerMembership } from './server-runs.js';

/** A connection, and the run of the server that it leads to. */
export interface NbdConnection {
  readonly client: NbdClient;
  readonly run: ServerMembership;
}

export interface NbdBackendOptions {
  readonly identity: string;
  /**
   * Makes a new connection; aborting the signal gives the attempt up. Rejects when the export does
   * not allow what the ticket needs.
   */
  readonly connect: (signal: AbortSignal) => Promise<NbdConnection>;
  /**
   * Whether the ticket allows writing. The export alone cannot say it: it may be
   * writable while the ticket is not.
   */
  readonly writable: boolean;
  /** The same for every name of the export that is known to be one. */
  readonly place: string;
  /** The same object for everyone in this process who has this export open. */
  readonly lock: RangeLock;
  /** Called once, after the connection was closed. */
  readonly onClose: () => void;
  readonly unflushed?: UnflushedWrites | undefined;
}

/**
 * An image that an NBD server exports, over one connection. When the connection ends, the calls in flight
 * fail and the next call makes a new connection. No call is repeated by itself: a write that failed with
 * the connection may have been done all the same.
 */
export class NbdBackend implements Backend {
  readonly kind = 'nbd';
  readonly identity: string;
  readonly place: string;
  readonly readersMax = 8;
  readonly writersMax = 8;
  readonly inFlightMax = 4;
  readonly growable = false;
  readonly #options: NbdBackendOptions;
  #client: NbdClient;
  #serverRun: ServerMembership;
  #connecting: { readonly client: Promise<NbdClient>; readonly attempt: AbortController } | undefined;
  #running = 0;
  /** Of those that run, the calls which may change the image and have a connection. */
  #changing = 0;
  #closing: Promise<void> | undefined;
  #becameIdle: (() => void) | undefined;

  /** @param connection the first one */
  constructor(connection: NbdConnection, options: NbdBackendOptions) {
    this.identity = options.identity;
    this.#client = connection.client;
    this.#serverRun = connection.run;
    this.#options = options;
    this.place = options.place;
    this.#watch(connection);
  }

  get incarnation(): number | undefined {
    return this.#serverRun.incarnation;
  }

  get canDirtyExtents(): boolean {
    return this.#client.info.contexts.dirtyBitmap !== undefined;
  }

  get blockSizeBytes(): number {
    return this.#client.info.blockSizes.minimumBytes;
  }

  async room(): Promise<StorageRoom> {
    // The protocol has no word for what is free behind an export.
    return {};
  }

  async sizeBytes(): Promise<number> {
    return this.#run(async ({ client }) => client.info.sizeBytes);
  }

  async read(buffer: Uint8Array, { offsetBytes, lengthBytes }: ByteRange): Promise<Uint8Array> {
    return this.#run(async (io) => {
      const availableBytes = Math.min(lengthBytes, io.client.info.sizeBytes - offsetBytes);
      if (availableBytes <= 0) return buffer.subarray(0, 0);
      return readRange(io, buffer, { offsetBytes, lengthBytes: availableBytes });
    });
  }

  async write(source: Uint8Array, offsetBytes: number): Promise<void> {
    await this.#change(async (io) => {
      this.#requireWritable();
      if (source.length === 0) return;
      requireWithin(io.client, { offsetBytes, lengthBytes: source.length });
      await writeRange(io, source, offsetBytes);
    });
  }

  async zero(range: ByteRange, options: { readonly sparse: boolean }): Promise<void> {
    await this.#change(async (io) => {
      this.#requireWritable();
      if (range.lengthBytes === 0) return;
      requireWithin(io.client, range);
      await zeroRange(io, range, options);
    });
  }

  async flush(): Promise<void> {
    await this.#change(async ({ client }) => {
      // A server without FLUSH answers a write when it is on stable storage.
      if (client.info.canFlush) await client.flush();
    });
  }

  async *extents(
    context: ExtentContext,
    range?: ByteRange,
  ): AsyncGenerator<readonly Extent[], void, undefined> {
    // Context ids belong to a connection: the whole list has to come over the same one.
    const client = await this.#run(async (io) => io.client);
    const ask: AskBlockStatus = (asked) => this.#run(() => client.blockStatus(asked));
    yield* nbdExtents(client.info, context, ask, range);
  }

  /**
   * Ends the connection if calls are in flight, unless one of them may change the image: what becomes of
   * such a call only the server knows, so its answer has to be waited for. A read can be dropped, as it
   * changes nothing and no late answer can arrive on a closed connection.
   */
  blockDigests(): undefined {
    return undefined;
  }

  abandon(): void {
    this.#connecting?.attempt.abort();
    if (this.#running > 0 && this.#changing === 0) this.#client.destroy();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#becameIdle = resolve;
      });
    }
    try {
      await this.#flushUnflushed();
    } finally {
      this.#client.onClosed = undefined;
      this.#serverRun.leave();
      await this.#client.disconnect();
      this.#options.onClose();
    }
  }

  async #flushUnflushed(): Promise<void> {
    const { unflushed } = this.#options;
    if (unflushed === undefined || this.#client.isClosed) return;
    // Who made the last call is told of its end first.
    await setImmediate();
    await unflushed.closing(async () => {
      if (this.#client.info.canFlush) await this.#client.flush();
    });
  }

  /** What was not flushed is lost with the connection: the server may be another one at the next. */
  #watch({ client, run }: NbdConnection): void {
    const lost = (): void => {
      run.lost();
      this.#options.unflushed?.lost();
    };
    client.onClosed = lost;
    if (client.isClosed) lost();
  }

  /** Counts the calls in flight, for `close` to wait for. */
  async #run<T>(call: (io: BlockIo) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new StorageError('The image has been closed');
    this.#running += 1;
    try {
      return await call({ lock: this.#options.lock, client: await this.#connected() });
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#becameIdle?.();
    }
  }

  /** For calls that may make the storage write; a flush does too. */
  async #change(call: (io: BlockIo) => Promise<void>): Promise<void> {
    await this.#run(async (io) => {
      this.#changing += 1;
      try {
        await call(io);
      } finally {
        this.#changing -= 1;
      }
    });
  }

  #requireWritable(): void {
    if (!this.#options.writable) throw new StorageError('The image was opened only for reading');
  }

  /** All calls that find the connection ended share one attempt to make another. */
  async #connected(): Promise<NbdClient> {
    if (!this.#client.isClosed) return this.#client;
    if (this.#connecting === undefined) {
      const attempt = new AbortController();
      this.#connecting = { client: this.#reconnect(attempt.signal), attempt };
    }
    return this.#connecting.client;
  }

  async #reconnect(signal: AbortSignal): Promise<NbdClient> {
    try {
      const connection = await this.#options.connect(signal);
      this.#client = connection.client;
      this.#serverRun = connection.run;
      this.#watch(connection);
      return this.#client;
    } finally {
      this.#connecting = undefined;
    }
  }
}

function requireWithin(client: NbdClient, { offsetBytes, lengthBytes }: ByteRange): void {
  const { sizeBytes } = client.info;
  const end = offsetBytes + lengthBytes;
  if (end > sizeBytes)
    throw new StorageError(`The range ends at ${end}, past the image of ${sizeBytes} bytes`);
}
