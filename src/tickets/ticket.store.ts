import type { ReceivedPage, ReceivedPageRequest } from './received-ranges.js';
import type { TicketAccess, TicketDefinition } from './ticket-definition.js';
import type { TicketPermit } from './ticket-permit.js';
import type { TicketListener } from './ticket-watch.js';
import type { TicketInfo } from './ticket.js';

/**
 * The tickets of this service. Asynchronous, because the store may live in another process than the one
 * that serves the request; nothing outside this folder may assume that it is local.
 */
export interface TicketStore {
  /**
   * Adds a ticket, or replaces an idle one of the same id.
   * @throws ConflictError while operations of the old one run, UnavailableError when
   *   there are too many tickets
   */
  add(definition: TicketDefinition): Promise<void>;

  /** @throws NotFoundError */
  info(id: string): Promise<TicketInfo>;

  /** A page of what the ticket has brought to its image, and the size of the ticket. @throws NotFoundError */
  received(
    id: string,
    page: ReceivedPageRequest,
  ): Promise<{ readonly page: ReceivedPage; readonly sizeBytes: number }>;

  /** What the ticket was made with; undefined when there is none. Says nothing of whether it may be used. */
  find(id: string): Promise<TicketDefinition | undefined>;

  /** All of them in the order in which they were added, a part of them at a time. */
  list(): AsyncIterable<readonly TicketInfo[]>;

  /** How many there are. */
  count(): Promise<number>;

  /** Sets the expiry to `timeoutSeconds` from now. @throws NotFoundError */
  extend(id: string, timeoutSeconds: number): Promise<void>;

  /**
   * Cancels the ticket, waits until nothing of it runs and forgets it; an unknown id is fine. After it
   * resolves no byte of the ticket is ever written again.
   * @throws ConflictError when operations still run after `control.remove_timeout`: the
   *   ticket stays, cancelled
   */
  remove(id: string): Promise<void>;

  /** `remove` for all of them, at once. @throws ConflictError when one of them still runs */
  removeAll(): Promise<void>;

  /**
   * What a client may do with the ticket.
   * @throws NotAllowedError when there is none or it forbids `access`
   */
  authorize(id: string, access: TicketAccess): Promise<TicketPermit>;

  /**
   * Calls `listener` for what happens from now on to the ticket of this id, which need not exist yet, or to
   * any ticket when `id` is undefined. Watching is no activity of a ticket, and removing one waits for
   * nobody who watches.
   * @returns ends it; idempotent
   */
  watch(id: string | undefined, listener: TicketListener): () => void;

  /**
   * Has `listener` hear of each ticket that is gone, for as long as the service runs. Unlike watching all
   * tickets it costs nothing while they are used.
   */
  onRemoved(listener: (id: string) => void): void;
}

export const TICKET_STORE = Symbol('TICKET_STORE');
