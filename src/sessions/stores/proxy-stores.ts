import type { Clock } from '../../base/clock.js';
import type { Config } from '../../config/config.js';
import type { HealthCheck } from '../../observability/health.js';
import { MemoryGrantStore } from './memory-grant.store.js';
import { MemorySessionStore } from './memory-session.store.js';
import type { SessionStore } from './session.store.js';
import type { GrantStore } from './grant.store.js';

export const sweepIntervalSeconds = 10;

export const PROXY_STORES = Symbol('PROXY_STORES');

/** What a proxy keeps of sessions and stored grants. */
export interface ProxyStores {
  readonly sessionStore: SessionStore;
  readonly grantStore: GrantStore;
  /** To be closed at the end, in this order. */
  readonly resources: readonly { close(): Promise<void> }[];
  /** What must work for the proxy to be ready. */
  readonly checks: readonly HealthCheck[];
}

/** Stores of this process alone: `[proxy] session_store = memory`. */
export function memoryProxyStores({ limits }: Config, clock: Clock): ProxyStores {
  const { sessionsMax, sessionsPerTicketMax } = limits;
  const options = { sessionsMax, sessionsPerTicketMax, sweepIntervalSeconds };
  const sessionStore = new MemorySessionStore(options, clock);
  const grantStore = new MemoryGrantStore(options, clock);
  return { sessionStore, grantStore, resources: [sessionStore, grantStore], checks: [] };
}
