import { setTimeout as delay } from 'node:timers/promises';
import type { EventStream } from '../wire/event-stream.js';
import { progressMilliseconds } from './ticket-follower.js';
import type { TicketInfo } from './ticket.js';
import type { TicketStore } from './ticket.store.js';

/** As many tickets are in one event, so that a long list is neither made nor sent at once. */
const ticketsPerEvent = 100;

/**
 * Sends all tickets, then at most once a second those that have changed, until the client leaves. While the
 * client reads slowly, the ids of those that change are kept, each once.
 * @param wireForm makes of a ticket what is sent
 */
export async function followTickets(
  tickets: TicketStore,
  stream: EventStream,
  wireForm: (info: TicketInfo) => object,
): Promise<void> {
  const follower = new TicketsFollower(tickets, stream, wireForm);
  const stop = tickets.watch(undefined, ({ id }) => {
    follower.changed(id);
  });
  try {
    await Promise.all([
      stream.closed.finally(() => {
        follower.stop();
      }),
      follower.run(),
    ]);
  } finally {
    stop();
  }
}

class TicketsFollower {
  readonly #changed = new Set<string>();
  readonly #stopped = new AbortController();
  #wake = Promise.withResolvers<undefined>();

  constructor(
    private readonly tickets: TicketStore,
    private readonly stream: EventStream,
    private readonly wireForm: (info: TicketInfo) => object,
  ) {}

  changed(id: string): void {
    this.#changed.add(id);
    this.#wake.resolve(undefined);
  }

  stop(): void {
    this.#stopped.abort();
    this.#wake.resolve(undefined);
  }

  async run(): Promise<void> {
    for await (const list of this.tickets.list()) {
      if (this.stream.over) return;
      await this.#send('tickets', list.map(this.wireForm));
    }
    await this.#send('complete', { count: await this.tickets.count() });
    while (!this.#stopped.signal.aborted) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<undefined>();
      await this.#sendChanged();
      await this.#rest();
    }
  }

  async #sendChanged(): Promise<void> {
    const ids = [...this.#changed];
    this.#changed.clear();
    for (let start = 0; start < ids.length && !this.stream.over; start += ticketsPerEvent) {
      const present: object[] = [];
      const removed: string[] = [];
      for (const id of ids.slice(start, start + ticketsPerEvent)) {
        if ((await this.tickets.find(id)) === undefined) removed.push(id);
        else present.push(this.wireForm(await this.tickets.info(id)));
      }
      if (present.length > 0) await this.#send('tickets', present);
      if (removed.length > 0) await this.#send('removed', removed);
    }
  }

  /** Resolves when the socket has taken it, so that the next one of the type cannot replace it. */
  async #send(event: string, data: object): Promise<void> {
    this.stream.send({ event, data });
    await this.stream.taken();
  }

  async #rest(): Promise<void> {
    try {
      await delay(progressMilliseconds, undefined, { signal: this.#stopped.signal });
    } catch (error: unknown) {
      if (!this.#stopped.signal.aborted) throw error;
    }
  }
}
