import { ImageioError, type TicketInfo, type TicketsClient } from '#sdk';
import type { Clock } from '../base/clock.js';

/** A ticket, and when it was told of. */
interface ToldTicket {
  readonly ticket: TicketInfo;
  readonly atSeconds: number;
}

/** Enough for one more try: a service that has gone for longer is to be told of, as without events. */
const reconnectSeconds = 1;

/**
 * The tickets of a service, for who looks at them again and again. They are followed by events, so that a
 * service with very many of them tells of those alone that change; where there are no events, or no room for
 * one more who follows, they are asked for each time.
 */
export class WatchedTickets {
  #told: ReadonlyMap<string, ToldTicket> = new Map();
  #polls = false;
  readonly #known: Promise<void>;
  #failure: unknown;

  /** @param signal ends it */
  constructor(
    private readonly client: TicketsClient,
    private readonly clock: Clock,
    signal: AbortSignal,
  ) {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#known = promise;
    const onComplete = (): void => {
      resolve(undefined);
    };
    void this.#follow(signal, onComplete)
      .catch((error: unknown) => {
        if (error instanceof ImageioError) this.#polls = true;
        else if (!signal.aborted) this.#failure = error;
      })
      .finally(onComplete);
  }

  /**
   * All of them as they are now, in the order in which they were added.
   * @throws what asking for them fails with
   */
  async now(): Promise<readonly TicketInfo[]> {
    await this.#known;
    if (this.#failure !== undefined) throw this.#failure as Error;
    if (this.#polls) return this.client.list();
    const nowSeconds = this.clock.monotonicSeconds();
    return [...this.#told.values()].map((told) => aged(told, nowSeconds));
  }

  async #follow(signal: AbortSignal, onComplete: () => void): Promise<void> {
    let told = new Map<string, ToldTicket>();
    for await (const happened of this.client.events({ signal, reconnectSeconds })) {
      switch (happened.event) {
        case 'open':
          told = new Map();
          break;
        case 'tickets': {
          const atSeconds = this.clock.monotonicSeconds();
          for (const ticket of happened.data) told.set(ticket.uuid, { ticket, atSeconds });
          break;
        }
        case 'removed':
          for (const id of happened.data) told.delete(id);
          break;
        case 'complete':
          this.#told = told;
          onComplete();
      }
    }
  }
}

/** Nothing is told of a ticket while nothing happens to it but that time goes by. */
function aged({ ticket, atSeconds }: ToldTicket, nowSeconds: number): TicketInfo {
  if (ticket.active) return ticket;
  return { ...ticket, idle_time: ticket.idle_time + Math.floor(nowSeconds - atSeconds) };
}
