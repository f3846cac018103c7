import type { Session } from '../session.js';
import type { Clock } from '../../base/clock.js';
import { UnavailableError } from '../../base/errors.js';

export interface SessionTableOptions {
  /** How many may be there at once. */
  readonly sessionsMax: number;
  /**
   * How often expired sessions are looked for, in seconds. A request can go on for that
   * long after the end of its session.
   */
  readonly sweepIntervalSeconds: number;
}

/** What opening one session too many is refused with. */
export function sessionLimitReached(sessionsMax: number): UnavailableError {
  return new UnavailableError(`The limit of ${sessionsMax} sessions is reached`);
}

/**
 * The sessions of this process by their ids, limited in number. Expired sessions are removed regularly, so
 * that those nobody asks for do not stay in memory, and requests that still run for them are cancelled.
 */
export class MemorySessionTable {
  readonly #sessions = new Map<string, Session>();
  readonly #timer: NodeJS.Timeout;

  /** @param onRemoved told of each session that leaves the table, before it ends */
  constructor(
    private readonly options: SessionTableOptions,
    private readonly clock: Clock,
    private readonly onRemoved: (session: Session) => void = () => undefined,
  ) {
    this.#timer = setInterval(() => {
      this.sweep();
    }, options.sweepIntervalSeconds * 1000);
    // The timer must not keep the process alive.
    this.#timer.unref();
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** @throws UnavailableError when it is full of live sessions */
  add(session: Session): void {
    if (this.#sessions.size >= this.options.sessionsMax) this.sweep();
    if (this.#sessions.size >= this.options.sessionsMax) throw sessionLimitReached(this.options.sessionsMax);
    this.#sessions.set(session.id, session);
  }

  find(id: string): Session | undefined {
    const session = this.#sessions.get(id);
    if (session?.isOver(this.clock.unixSeconds())) {
      this.#remove(session, 'expired');
      return undefined;
    }
    return session;
  }

  delete(id: string): boolean {
    const session = this.find(id);
    if (!session) return false;
    this.#remove(session, 'deleted');
    return true;
  }

  /** Ends all whose time is over. The timer calls it. */
  sweep(): void {
    const nowUnixSeconds = this.clock.unixSeconds();
    for (const session of this.#sessions.values()) {
      if (session.isOver(nowUnixSeconds)) this.#remove(session, 'expired');
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const session of this.#sessions.values()) this.#remove(session, 'closed');
  }

  #remove(session: Session, end: 'deleted' | 'expired' | 'closed'): void {
    this.#sessions.delete(session.id);
    this.onRemoved(session);
    session.end(end);
  }
}
