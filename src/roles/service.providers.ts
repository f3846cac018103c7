import type { Provider } from '@nestjs/common';
import type { Config } from '../config/config.js';
import { CONFIG } from '../framework/settings.module.js';
import { certificateReload } from '../wire/certificate-reload.js';
import { ListenerFactory } from '../wire/listener-factory.js';
import { createMonitoring } from './monitoring.js';
import { Service, type BackgroundWork } from './service.js';
import { LOGGER, type Logger } from '../log/logger.js';
import type { HealthCheck } from '../observability/health.js';
import type { Metrics } from '../observability/metrics.js';
import type { SampledGaugeOptions } from '../observability/sampled-gauge.js';
import { authoritiesReload, DaemonAgents } from '../daemons/daemon-agents.js';
import type { DataWorkers } from '../workers/data-workers.js';
import { DATA_WORKERS, loggingReload } from './data-workers.js';
import { LISTENERS } from './listeners.module.js';
import { METRICS } from './metrics.module.js';
import { allOf, type ServiceListeners } from './service-listeners.js';

/** What the role shows in numbers, beside what it reports. */
export const GAUGES = Symbol('GAUGES');

/** What must work, beside the listeners, for the role to be ready. */
export const HEALTH_CHECKS = Symbol('HEALTH_CHECKS');

/** What may run without a request; undefined in a role that has no such thing. */
export const BACKGROUND_WORK = Symbol('BACKGROUND_WORK');

const MONITORING = Symbol('MONITORING');

/** The running service and the listener that monitors it; the same for both roles. */
export const serviceProviders: readonly Provider[] = [
  {
    provide: MONITORING,
    inject: [ListenerFactory, METRICS, LISTENERS, GAUGES, HEALTH_CHECKS],
    useFactory: (
      factory: ListenerFactory,
      metrics: Metrics | undefined,
      listeners: ServiceListeners,
      gauges: readonly SampledGaugeOptions[],
      checks: readonly HealthCheck[],
    ) => {
      if (metrics === undefined) return undefined;
      for (const gauge of gauges) metrics.sample(gauge);
      return createMonitoring(factory, { metrics, listeners: allOf(listeners), checks });
    },
  },
  {
    provide: Service,
    inject: [LISTENERS, MONITORING, DaemonAgents, BACKGROUND_WORK, CONFIG, LOGGER, DATA_WORKERS],
    useFactory: (
      listeners: ServiceListeners,
      monitoring: ReturnType<typeof createMonitoring> | undefined,
      agents: DaemonAgents,
      background: BackgroundWork | undefined,
      { limits, tls }: Config,
      logger: Logger,
      workers: DataWorkers | undefined,
    ) =>
      new Service(
        {
          listeners: allOf(listeners),
          monitoring,
          background,
          reloadables: [
            ...(tls.enable ? [certificateReload(listeners.remote, logger), authoritiesReload(agents)] : []),
            ...(workers === undefined ? [] : [loggingReload(workers, logger)]),
          ],
          graceSeconds: limits.graceSeconds,
        },
        logger,
      ),
  },
];
