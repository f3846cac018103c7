import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { ListenerMetrics } from './listener-metrics.js';
import { addSampledGauge, type SampledGaugeOptions } from './sampled-gauge.js';
import { TransferMetrics } from './transfer-metrics.js';

export interface MetricsOptions {
  readonly role: string;
  readonly version: string;
  /** The kinds in which daemons can fail a proxy. Absent: there are no daemons behind this service. */
  readonly daemonFailureKinds?: readonly string[];
}

/**
 * How closely the delay of the event loop is watched; the library's 10 ms wake an idle process more often
 * than is worth it.
 */
const eventLoopPrecisionMilliseconds = 20;

/**
 * The metrics of one service, in a registry of their own. Parts of the service report to it through
 * interfaces of their own, and know nothing of metrics. No label ever has an id in it: their values come from
 * short lists.
 */
export class Metrics {
  readonly transfers: TransferMetrics;
  readonly listeners: ListenerMetrics;
  readonly #registry = new Registry();
  readonly #daemonFailures: Counter<'kind'> | undefined;

  constructor({ role, version, daemonFailureKinds }: MetricsOptions) {
    const registers = [this.#registry];
    this.transfers = new TransferMetrics(this.#registry);
    this.listeners = new ListenerMetrics(this.#registry);
    new Gauge({
      name: 'imageio_build_info',
      help: 'Always 1; the labels say what runs',
      labelNames: ['role', 'version'],
      registers,
    }).set({ role, version }, 1);
    if (daemonFailureKinds !== undefined) {
      this.#daemonFailures = new Counter({
        name: 'imageio_relay_errors_total',
        help: 'Relayed requests that failed because of the daemon or the way to it',
        labelNames: ['kind'],
        registers,
      });
      for (const kind of daemonFailureKinds) this.#daemonFailures.inc({ kind }, 0);
    }
    collectDefaultMetrics({
      register: this.#registry,
      eventLoopMonitoringPrecision: eventLoopPrecisionMilliseconds,
    });
  }

  /** Adds a gauge that is asked for its values at each scrape. */
  sample(options: SampledGaugeOptions): void {
    addSampledGauge(this.#registry, options);
  }

  daemonFailed(kind: string): void {
    this.#daemonFailures?.inc({ kind });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in the text format of Prometheus. */
  async render(): Promise<string> {
    return this.#registry.metrics();
  }
}
