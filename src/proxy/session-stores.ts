import { systemClock } from '../clock.js';
import type { Config } from '../config/config.js';
import type { HealthCheck } from '../observability/health.js';
import { MemoryGrantStore } from '../sessions/memory-grant.store.js';
import { MemorySessionStore } from '../sessions/memory-session.store.js';
import type { GrantStore, SessionStore } from '../sessions/session.store.js';

export const sweepIntervalSeconds = 10;

export interface SessionStores {
  readonly sessionStore: SessionStore;
  readonly grantStore: GrantStore;
  /** To be closed at the end, in this order. */
  readonly resources: readonly { close(): Promise<void> }[];
  /** What must work for the proxy to be ready. */
  readonly checks: readonly HealthCheck[];
}

/** Stores of this process alone: `[proxy] session_store = memory`. */
export function memorySessionStores({ limits }: Config): SessionStores {
  const { sessionsMax, sessionsPerTicketMax } = limits;
  const options = { sessionsMax, sessionsPerTicketMax, sweepIntervalSeconds };
  const sessionStore = new MemorySessionStore(options, systemClock);
  const grantStore = new MemoryGrantStore(options, systemClock);
  return { sessionStore, grantStore, resources: [sessionStore, grantStore], checks: [] };
}
