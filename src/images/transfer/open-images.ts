import { Inject, Injectable } from '@nestjs/common';
import { ClientGoneError, StorageError } from '../../base/errors.js';
import type { ClientConnection, ConnectionResource } from '../../wire/client-connection.js';
import type { ClientThread, ReadGrant } from '../../wire/client-thread.js';
import type { Lending } from '../../wire/tls-threads.js';
import { contentDisposition } from '../operations/content-disposition.js';
import type { TicketConnection, TicketPermit } from '../../tickets/ticket-permit.js';
import type { ImageDigests } from '../checksum/image-digests.js';
import { KeptDigests } from '../checksum/kept-digests.js';
import { IMAGE_SOURCES, type Backend, type ImageRequest, type ImageSource } from '../backends/backend.js';

/**
 * Opens the image of a ticket once per connection, and keeps it until the connection closes or the ticket
 * is cancelled (docs/protocol.md, "Open images"). Opening costs a round trip to storage; a connection
 * usually asks for the same image again and again.
 */
@Injectable()
export class OpenImages {
  readonly #sources = new Map<string, ImageSource>();

  constructor(
    @Inject(IMAGE_SOURCES) sources: readonly ImageSource[],
    private readonly keptDigests: KeptDigests,
  ) {
    for (const source of sources) {
      for (const scheme of source.schemes) this.#sources.set(scheme, source);
    }
  }

  /**
   * To be called while an operation of the ticket runs, so that removing the ticket waits for it.
   * @param signal of that operation. Requests of one connection run one after the other, and what stops one
   *   of them stops all that ask for this image on it: so opening may be given up with the first.
   * @throws StorageError when the image cannot be opened, or opening was given up
   */
  open(connection: ClientConnection, permit: TicketPermit, signal: AbortSignal): Promise<Backend> {
    const kept = connection.resource(permit);
    if (kept instanceof OpenImage) return kept.backend;
    const { keptDigests } = this;
    const image = new OpenImage({ connection, permit, keptDigests }, this.#open(permit, signal));
    connection.keep(permit, image);
    permit.attach(image);
    return image.backend;
  }

  /**
   * Lets the thread that has the client's side of a connection answer plain downloads of an image that is
   * open on it, as far as the image has been looked at.
   */
  lend(connection: ClientConnection, permit: TicketPermit): Lending {
    const kept = connection.resource(permit);
    if (connection.thread === undefined || !(kept instanceof OpenImage)) return 'not now';
    return kept.lend(connection.thread);
  }

  /**
   * Opens the image once more, for the caller to close, as `open` does for a transfer.
   * @throws StorageError when the image cannot be opened, or opening was given up
   */
  openAnew(permit: TicketPermit, signal: AbortSignal): Promise<Backend> {
    return this.#open(permit, signal);
  }

  async #open(permit: TicketPermit, signal: AbortSignal): Promise<Backend> {
    const { definition, writable } = permit;
    const scheme = definition.url.slice(0, definition.url.indexOf(':'));
    const source = this.#sources.get(scheme);
    if (source === undefined) throw new StorageError('The image is of a kind that this service cannot open');
    const { url, sparse, dirty } = definition;
    const unflushed = writable ? unflushedWrites(permit) : {};
    return source.open({ url, writable, sparse, dirty, ...unflushed }, signal);
  }
}

/** Has the account of the ticket know what becomes of writes that were not flushed. */
export function unflushedWrites(permit: TicketPermit): Pick<ImageRequest, 'unflushed'> {
  return {
    unflushed: {
      lost: () => {
        permit.unflushedLost();
      },
      closing: async (flush) => {
        const { receivedBytes, durableBytes } = permit.received;
        if (!permit.canceled && receivedBytes > durableBytes) await permit.flush(flush);
      },
    },
  };
}

interface OpenImageOptions {
  readonly connection: ClientConnection;
  readonly permit: TicketPermit;
  readonly keptDigests: KeptDigests;
}

class OpenImage implements ConnectionResource, TicketConnection {
  readonly backend: Promise<Backend>;
  /** Held for as long as the image is open, or each request would make them anew. */
  #digests: ImageDigests | undefined;
  #opened: Backend | undefined;
  #grant: ReadGrant | undefined;
  #closing = false;

  constructor(
    private readonly options: OpenImageOptions,
    opening: Promise<Backend>,
  ) {
    const { connection, keptDigests } = options;
    this.backend = opening.then(
      async (backend) => {
        if (!connection.closed) {
          this.#digests = keptDigests.image(backend);
          this.#opened = backend;
          return backend;
        }
        // The client left while storage was still opening, so nobody will ever close it but us.
        await backend.close();
        throw new ClientGoneError();
      },
      (error: unknown) => {
        // The next request tries again.
        this.#forget();
        throw error;
      },
    );
  }

  get elsewhere(): ReadGrant | undefined {
    return this.#grant;
  }

  lend(thread: ClientThread): Lending {
    const { permit } = this.options;
    const reads = this.#opened?.directReads;
    if (reads === undefined) return 'never';
    if (permit.canceled || this.#closing) return 'not now';
    const sizeBytes = Math.min(reads.sizeBytes, permit.sizeBytes);
    const hasAll = this.#grant?.revoked === false && this.#grant.sizeBytes >= sizeBytes;
    if (hasAll) return 'lent';
    void this.#grant?.revoke();
    const { definition, transferId, imageUrl, inactivityTimeoutSeconds } = permit;
    this.#grant = thread.offer({
      ticketId: definition.id,
      transferId,
      imageUrl,
      ...reads,
      sizeBytes,
      totalBytes: String(definition.size),
      contentDisposition: contentDisposition(definition.filename),
      silenceSeconds: inactivityTimeoutSeconds,
      onRead: (part, atSeconds) => {
        permit.readElsewhere(part, atSeconds);
      },
    });
    permit.lent();
    return this.#grant === undefined ? 'not now' : 'lent';
  }

  /** Idempotent, as both the ticket and the connection may ask for it. */
  async close(): Promise<void> {
    try {
      this.#closing = true;
      const backend = await this.backend;
      // What another thread has sent until now it tells before the file goes.
      await this.#grant?.revoke();
      await backend.close();
    } catch {
      // It was never opened, or is gone already: nothing of it is left to close.
    } finally {
      this.#digests?.release();
      this.#digests = undefined;
      this.#forget();
    }
  }

  #forget(): void {
    const { connection, permit } = this.options;
    connection.forget(permit);
    permit.detach(this);
  }
}
