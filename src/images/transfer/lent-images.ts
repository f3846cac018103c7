import { Inject, Injectable } from '@nestjs/common';
import { ClientGoneError } from '../../base/errors.js';
import type { TicketPermit } from '../../tickets/ticket-permit.js';
import { TICKET_STORE, type TicketStore } from '../../tickets/ticket.store.js';
import type { ClientConnection } from '../../wire/client-connection.js';
import type { ImageLender, Lending, WantedImage } from '../../wire/tls-threads.js';
import { OpenImages } from './open-images.js';

interface LoanRequest {
  readonly connection: ClientConnection;
  readonly permit: TicketPermit;
  /** All that is wanted of the image. */
  readonly endBytes: number;
}

/**
 * Lets the threads that speak TLS answer plain downloads (docs/architecture.md, "Data workers"). What a
 * ticket or its image does not allow is no grant, and no refusal either: the request comes to the main thread
 * then, which refuses it like any other.
 */
@Injectable()
export class LentImages implements ImageLender {
  constructor(
    @Inject(TICKET_STORE) private readonly tickets: TicketStore,
    private readonly images: OpenImages,
  ) {}

  async lend(connection: ClientConnection, wanted: WantedImage, signal: AbortSignal): Promise<Lending> {
    try {
      const permit = await this.tickets.authorize(wanted.ticketId, 'read');
      connection.authorized(permit.inactivityTimeoutSeconds);
      return await this.#open({ connection, permit, endBytes: wanted.endBytes }, signal);
    } catch {
      // The request that is asked for meets the same, and is told what it is.
      return 'not now';
    }
  }

  async #open({ connection, permit, endBytes }: LoanRequest, given: AbortSignal): Promise<Lending> {
    const root = new AbortController();
    const signal = AbortSignal.any([root.signal, given]);
    const abort = (reason: Error): void => {
      root.abort(reason);
    };
    // Storage may take long, and who asked for it may leave.
    const leaving = {
      close: (): Promise<void> => {
        abort(new ClientGoneError());
        return Promise.resolve();
      },
    };
    connection.keep(leaving, leaving);
    // Removing the ticket waits for what is being opened.
    const lease = permit.begin('read', { signal, abort });
    try {
      const backend = await this.images.open(connection, permit, signal);
      await backend.sizeBytes(Math.min(endBytes, permit.sizeBytes));
      signal.throwIfAborted();
      return this.images.lend(connection, permit);
    } finally {
      lease.end();
      connection.forget(leaving);
    }
  }
}
