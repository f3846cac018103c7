import type { Metrics } from '../observability/metrics.js';
import type { SessionStore } from '../sessions/session.store.js';

/** Shows how many sessions there are. */
export function showSessions(metrics: Metrics, sessions: SessionStore): void {
  metrics.sample({
    name: 'imageio_sessions',
    help: 'Sessions in the store of this proxy, or in the one that it shares with others',
    read: async () => [{ value: await sessions.count() }],
  });
}
