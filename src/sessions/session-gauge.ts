import type { SampledGaugeOptions } from '../observability/sampled-gauge.js';
import type { SessionStore } from './stores/session.store.js';

/** Shows how many sessions there are. */
export function sessionGauge(sessions: SessionStore): SampledGaugeOptions {
  return {
    name: 'imageio_sessions',
    help: 'Sessions in the store of this proxy, or in the one that it shares with others',
    read: async () => [{ value: await sessions.count() }],
  };
}
