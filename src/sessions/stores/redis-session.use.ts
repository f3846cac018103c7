import type { RunCommands } from './redis-connection.js';
import type { SessionKeyPrefixes } from './redis-scripts.js';
import type { Clock } from '../../base/clock.js';

/** How long the mark of a request that begins holds: most have ended by then. */
const beginMarkSeconds = 3;
/** How often it is looked for what still runs, and its marks are about to end. */
const lookSeconds = 1;
/**
 * How long the mark of what goes on holds: should this process die, its sessions count as unused after
 * that.
 */
const lastingMarkSeconds = 15;
/** A mark that holds so much longer needs no other one. */
const marginSeconds = 2;
const batchSize = 100;

/**
 * Marks sessions in Redis that requests of this process run for, so that a proxy which has to end one of a
 * ticket's sessions takes one that nobody uses. A session is marked once in a while, not for each request.
 */
export class RedisSessionUse {
  /** What requests run for, by the names of sessions in Redis. */
  readonly #running = new Set<string>();
  /** In Unix seconds. */
  readonly #markedUntil = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly prefixes: Pick<SessionKeyPrefixes, 'sessionKeyPrefix'>,
    private readonly run: RunCommands,
    private readonly clock: Clock,
  ) {
    this.#timer = setInterval(() => {
      this.#markLasting();
    }, lookSeconds * 1000);
    this.#timer.unref();
  }

  /** The first request for a session has begun, or the last one has ended. */
  changed(member: string, inUse: boolean): void {
    if (!inUse) {
      this.#running.delete(member);
      return;
    }
    this.#running.add(member);
    if (this.#isDue(member)) this.#mark([member], beginMarkSeconds);
  }

  /** The session has ended. */
  forget(member: string): void {
    this.#running.delete(member);
    this.#markedUntil.delete(member);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #markLasting(): void {
    const due = [...this.#running].filter((member) => this.#isDue(member));
    for (let start = 0; start < due.length; start += batchSize) {
      this.#mark(due.slice(start, start + batchSize), lastingMarkSeconds);
    }
  }

  #isDue(member: string): boolean {
    return (this.#markedUntil.get(member) ?? 0) <= this.clock.unixSeconds() + marginSeconds;
  }

  /** Sends the marks. Commands that are sent after it find them made. */
  #mark(members: readonly string[], seconds: number): void {
    const nowUnixSeconds = this.clock.unixSeconds();
    const usedUntilUnixSeconds = nowUnixSeconds + seconds;
    for (const member of members) this.#markedUntil.set(member, usedUntilUnixSeconds);
    this.run((client) =>
      client.useSessions(members, { nowUnixSeconds, usedUntilUnixSeconds }, this.prefixes),
    ).catch(() => {
      // The server is away: they are marked again when it is back.
      for (const member of members) this.#markedUntil.delete(member);
    });
  }
}
