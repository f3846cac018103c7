import { Global, Module, type DynamicModule } from '@nestjs/common';
import type { Role } from '../config/role.js';
import type { MetricsConfig } from '../config/sections/metrics.js';
import { section } from '../framework/settings.module.js';
import { Metrics } from '../observability/metrics.js';
import { DAEMON_FAILURE_OBSERVER, daemonFailureKinds } from '../daemons/daemon-failure.js';
import { TRANSFER_OBSERVER } from '../tickets/transfer-observer.js';
import { version } from '../base/version.js';

/** The metrics of the service; undefined where they are off. */
export const METRICS = Symbol('METRICS');

/** What the features report to, which know nothing of metrics. */
@Global()
@Module({})
export class MetricsModule {
  static of(role: Role): DynamicModule {
    return {
      module: MetricsModule,
      providers: [
        {
          provide: METRICS,
          inject: [section('metrics')],
          useFactory: ({ enable }: MetricsConfig) =>
            enable ? new Metrics({ role, version, daemonFailureKinds }) : undefined,
        },
        {
          provide: TRANSFER_OBSERVER,
          inject: [METRICS],
          useFactory: (metrics?: Metrics) => metrics?.transfers,
        },
        { provide: DAEMON_FAILURE_OBSERVER, useExisting: METRICS },
      ],
      exports: [METRICS, TRANSFER_OBSERVER, DAEMON_FAILURE_OBSERVER],
    };
  }
}
