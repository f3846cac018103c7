import { BusyTime } from '../busy-time.js';
import type { Exchange } from '../http/exchange.js';
import { showSignsOfLife } from '../http/signs-of-life.js';
import type { Operation, OperationKind } from '../tickets/operation.js';
import type { Ticket, TicketAccess } from '../tickets/ticket.js';
import type { TicketStore } from '../tickets/ticket.store.js';
import type { TransferObserver } from '../tickets/transfer-observer.js';
import type { ByteRange } from '../units.js';
import type { Backend } from './backends/backend.js';
import type { OpenImages } from './open-images.js';
import { TimedBackend } from './timed-backend.js';

export interface OperationRequest {
  readonly ticketId: string;
  readonly access: TicketAccess;
  readonly kind: OperationKind;
  /**
   * All of the image that it may change: its place among those that change the same bytes is where it
   * begins.
   */
  readonly changes?: ByteRange;
  /** Refuses what the ticket does not cover, before the image is opened. */
  readonly check?: (ticket: Ticket) => void;
}

export interface OperationContext {
  readonly ticket: Ticket;
  readonly operation: Operation;
  readonly backend: Backend;
}

/**
 * What every operation on an image has in common: the ticket is checked, then the range, then the image is
 * opened, and only then anything happens (docs/protocol.md, "Order of checks"). While it runs it is
 * registered with its ticket, and a client that leaves or a service that stops aborts it. How much it
 * moved, and where its time went, is told to the log and to whoever observes.
 */
export class OperationRunner {
  constructor(
    private readonly tickets: TicketStore,
    private readonly images: OpenImages,
    private readonly observer?: TransferObserver,
  ) {}

  /**
   * Looks at the ticket alone, for what must be known before an operation can be: from here on it is the
   * ticket that says how long the connection may be silent.
   * @throws NotAllowedError
   */
  async authorize(
    exchange: Exchange,
    { ticketId, access }: Pick<OperationRequest, 'ticketId' | 'access'>,
  ): Promise<Ticket> {
    const ticket = await this.tickets.authorize(ticketId, access);
    exchange.connection.authorized(ticket.definition.inactivityTimeoutSeconds);
    exchange.logFields['transfer_id'] = ticket.transferId;
    return ticket;
  }

  /** @throws NotAllowedError, RangeNotSatisfiableError, StorageError and whatever `work` throws */
  async run<T>(
    exchange: Exchange,
    request: OperationRequest,
    work: (context: OperationContext) => Promise<T>,
  ): Promise<T> {
    const ticket = await this.authorize(exchange, request);
    exchange.logFields['operation'] = request.kind;
    request.check?.(ticket);
    const operation = ticket.begin(request.kind, request.changes);
    const abort = (): void => {
      operation.abort(exchange.signal.reason as Error);
    };
    if (exchange.signal.aborted) abort();
    exchange.signal.addEventListener('abort', abort);
    const { signal } = operation;
    const startedAt = performance.now();
    const backendTime = new BusyTime();
    const observed = this.observer?.begin(request.kind, exchange.listener);
    if (observed !== undefined) operation.report(observed);
    const endSigns = showSignsOfLife(exchange);
    try {
      signal.throwIfAborted();
      const backend = await backendTime.during(() => this.images.open(exchange.connection, ticket, signal));
      exchange.logFields['backend'] = backend.kind;
      observed?.located(backend.kind);
      signal.throwIfAborted();
      signal.addEventListener('abort', () => {
        backend.abandon();
      });
      return await work({ ticket, operation, backend: new TimedBackend(backend, backendTime) });
    } catch (error: unknown) {
      // What an operation fails with after it was aborted is a consequence of that.
      throw signal.aborted ? signal.reason : error;
    } finally {
      endSigns();
      exchange.signal.removeEventListener('abort', abort);
      operation.end();
      const backendSeconds = backendTime.seconds;
      exchange.logFields['bytes'] = operation.doneBytes;
      if (operation.overtakenBytes > 0) exchange.logFields['overtaken_bytes'] = operation.overtakenBytes;
      exchange.logFields['backend_milliseconds'] = Math.round(backendSeconds * 1000);
      observed?.ended({
        totalSeconds: (performance.now() - startedAt) / 1000,
        backendSeconds,
        clientSeconds: exchange.clientSeconds,
      });
    }
  }
}
