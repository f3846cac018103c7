import type { Exchange } from '../http/exchange.js';
import type { Operation, OperationKind } from '../tickets/operation.js';
import type { Ticket, TicketAccess } from '../tickets/ticket.js';
import type { TicketStore } from '../tickets/ticket.store.js';
import type { Backend } from './backends/backend.js';
import type { OpenImages } from './open-images.js';

export interface OperationRequest {
  readonly ticketId: string;
  readonly access: TicketAccess;
  readonly kind: OperationKind;
  /** Refuses what the ticket does not cover, before the image is opened. */
  readonly check?: (ticket: Ticket) => void;
}

export interface OperationContext {
  readonly ticket: Ticket;
  readonly operation: Operation;
  readonly backend: Backend;
}

/**
 * What every operation on an image has in common, in the order of spec section 2: the ticket is checked, then the range, then the
 * image is opened, and only then anything happens. While it runs it is registered with its ticket, and a client that leaves or a
 * service that stops aborts it.
 */
export class OperationRunner {
  constructor(
    private readonly tickets: TicketStore,
    private readonly images: OpenImages,
  ) {}

  /** @throws NotAllowedError, RangeNotSatisfiableError, StorageError and whatever `work` throws */
  async run<T>(
    exchange: Exchange,
    request: OperationRequest,
    work: (context: OperationContext) => Promise<T>,
  ): Promise<T> {
    const ticket = await this.tickets.authorize(request.ticketId, request.access);
    exchange.connection.authorized(ticket.definition.inactivityTimeoutSeconds);
    exchange.logFields['transfer_id'] = ticket.transferId;
    exchange.logFields['operation'] = request.kind;
    request.check?.(ticket);
    const operation = ticket.begin(request.kind);
    const abort = (): void => {
      operation.abort(exchange.signal.reason as Error);
    };
    if (exchange.signal.aborted) abort();
    exchange.signal.addEventListener('abort', abort);
    try {
      operation.signal.throwIfAborted();
      const backend = await this.images.open(exchange.connection, ticket);
      operation.signal.throwIfAborted();
      return await work({ ticket, operation, backend });
    } finally {
      exchange.signal.removeEventListener('abort', abort);
      operation.end();
    }
  }
}
