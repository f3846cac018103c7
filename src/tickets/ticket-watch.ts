/**
 * What can happen to a ticket.
 * - `added`: it is there from now on; one of the same id that was there before was `removed` first
 * - `changed`: something that {@link TicketInfo} tells is different: an I/O has finished, an operation or
 *   connection has begun or ended
 * - `flushed`: what was written before is on stable storage
 * - `extended`: its expiry was set anew, also after it had expired
 * - `cancelled`: it cannot be used any more; operations of it may still be running
 * - `expired`: its time is up; it is there until it is removed, and may be extended
 * - `removed`: it is gone, and nothing of it runs
 */
export type TicketEventKind =
  'added' | 'changed' | 'flushed' | 'extended' | 'cancelled' | 'expired' | 'removed';

export interface TicketEvent {
  readonly kind: TicketEventKind;
  /** Of the ticket. */
  readonly id: string;
}

/**
 * Called in the middle of what it tells of, `changed` once for each I/O: it remembers what to look at later,
 * does nothing else, and never throws.
 */
export type TicketListener = (event: TicketEvent) => void;

/** Those who want to hear what happens to tickets. While there are none, telling them costs nothing. */
export class TicketWatchers {
  readonly #ofAll = new Set<TicketListener>();
  readonly #ofOne = new Map<string, Set<TicketListener>>();
  readonly #ofRemovals: ((id: string) => void)[] = [];

  /**
   * @param id of the ticket to watch, which need not exist; undefined for all of them
   * @returns ends it; idempotent
   */
  add(id: string | undefined, listener: TicketListener): () => void {
    // One function may be given twice, and each time ends on its own.
    const own: TicketListener = (event) => {
      listener(event);
    };
    const listeners = id === undefined ? this.#ofAll : this.#of(id);
    listeners.add(own);
    return () => {
      listeners.delete(own);
      if (id !== undefined && listeners.size === 0 && this.#ofOne.get(id) === listeners) {
        this.#ofOne.delete(id);
      }
    };
  }

  /** For those who keep something for tickets and let go of it with them, for as long as the service runs. */
  addForRemovals(listener: (id: string) => void): void {
    this.#ofRemovals.push(listener);
  }

  /** Whether anybody would hear of this ticket, before it is removed. */
  isWatched(id: string): boolean {
    return this.#ofAll.size > 0 || (this.#ofOne.size > 0 && this.#ofOne.has(id));
  }

  tell(kind: TicketEventKind, id: string): void {
    if (kind === 'removed') for (const listener of this.#ofRemovals) listener(id);
    if (!this.isWatched(id)) return;
    const event: TicketEvent = { kind, id };
    for (const listener of this.#ofAll) listener(event);
    const listeners = this.#ofOne.get(id);
    if (listeners !== undefined) for (const listener of listeners) listener(event);
  }

  #of(id: string): Set<TicketListener> {
    const known = this.#ofOne.get(id);
    if (known !== undefined) return known;
    const listeners = new Set<TicketListener>();
    this.#ofOne.set(id, listeners);
    return listeners;
  }
}
