import { Health, type HealthCheck } from '../observability/health.js';
import type { Metrics } from '../observability/metrics.js';
import { monitoringHandler, monitoringMethods } from '../observability/monitoring-handler.js';
import type { HttpListener } from '../wire/http-listener.js';
import type { ListenerFactory } from '../wire/listener-factory.js';

export interface MonitoringOptions {
  readonly metrics: Metrics;
  /** The listeners that do the service's work: ready means that all of them do. */
  readonly listeners: readonly HttpListener[];
  /** What else must work for the service to be ready. */
  readonly checks: readonly HealthCheck[];
}

/**
 * Makes the listener for monitoring systems, which shows `metrics`, what there is to show of `listeners`, and
 * the health of it all.
 */
export function createMonitoring(
  factory: ListenerFactory,
  { metrics, listeners, checks }: MonitoringOptions,
): HttpListener {
  metrics.sample({
    name: 'imageio_connections',
    help: 'Open connections, TLS handshakes included',
    labelNames: ['listener'],
    read: () =>
      listeners
        .filter(({ absent }) => !absent)
        .map(({ name, connections }) => ({ labels: { listener: name }, value: connections })),
  });
  metrics.sample({
    name: 'imageio_tls_certificate_expiry_timestamp_seconds',
    help: 'When the certificate that new connections see expires, in seconds since 1970',
    labelNames: ['listener'],
    read: () =>
      listeners.flatMap(({ name, certificateExpiresUnixSeconds: value }) =>
        value === undefined ? [] : [{ labels: { listener: name }, value }],
      ),
  });
  const health = new Health([listenersCheck(listeners), ...checks]);
  return factory.metrics(monitoringHandler(metrics, health), monitoringMethods);
}

function listenersCheck(listeners: readonly HttpListener[]): HealthCheck {
  return {
    name: 'listeners',
    check: () => {
      const closed = listeners
        .filter(({ accepting, absent }) => !accepting && !absent)
        .map(({ name }) => name);
      if (closed.length > 0) throw new Error(`${closed.join(', ')} not accepting`);
    },
  };
}
