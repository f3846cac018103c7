import type { RunCommands } from './redis-connection.js';
import type { Clock } from '../clock.js';

export interface RedisSessionUseOptions {
  readonly sessionKeyPrefix: string;
}

/** Requests that end sooner leave no mark, and cost no command. */
const markIntervalSeconds = 1;
/** How long a mark holds: if this process dies, its sessions count as unused after that. */
const markSeconds = 15;
const remarkSeconds = 10;
const batchSize = 100;

/**
 * Marks sessions in Redis that requests of this process run for, so that a proxy which has to end one of a
 * ticket's sessions takes one that nobody uses. Only what lasts is marked, now and then: most requests cost
 * nothing.
 */
export class RedisSessionUse {
  /** What requests run for, by the names of sessions in Redis. */
  readonly #running = new Set<string>();
  /** In Unix seconds. */
  readonly #markedUntil = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly options: RedisSessionUseOptions,
    private readonly run: RunCommands,
    private readonly clock: Clock,
  ) {
    this.#timer = setInterval(() => {
      this.mark();
    }, markIntervalSeconds * 1000);
    this.#timer.unref();
  }

  /** The first request for a session has begun, or the last one has ended. */
  changed(member: string, inUse: boolean): void {
    if (inUse) this.#running.add(member);
    else this.#running.delete(member);
  }

  /** The session has ended. */
  forget(member: string): void {
    this.#running.delete(member);
    this.#markedUntil.delete(member);
  }

  /**
   * Sends marks that are missing or about to end. Commands that are sent next find them made. The timer
   * calls it, and who is about to open a session, which may end another one.
   */
  mark(): void {
    const nowUnixSeconds = this.clock.unixSeconds();
    const usedUntilUnixSeconds = nowUnixSeconds + markSeconds;
    const due = [...this.#running].filter(
      (member) => (this.#markedUntil.get(member) ?? 0) <= nowUnixSeconds + markSeconds - remarkSeconds,
    );
    for (let start = 0; start < due.length; start += batchSize) {
      const members = due.slice(start, start + batchSize);
      for (const member of members) this.#markedUntil.set(member, usedUntilUnixSeconds);
      this.run((client) =>
        client.useSessions(members, { nowUnixSeconds, usedUntilUnixSeconds }, this.options),
      ).catch(() => {
        // The server is away: they are marked again when it is back.
        for (const member of members) this.#markedUntil.delete(member);
      });
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
