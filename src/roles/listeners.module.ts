import { Global, Inject, Module, type DynamicModule, type OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Config } from '../config/config.js';
import { tlsThreadCount } from '../wire/tls-thread-count.js';
import type { Role } from '../config/role.js';
import type { ServiceAdapter } from '../framework/http-application.js';
import { CONFIG } from '../framework/settings.module.js';
import { LOCAL_SOCKET, type LocalSocket } from '../images/operations/options.handler.js';
import { SERVICE_KEY, type ServiceKey } from '../images/receipt/service-key.js';
import type { InheritedSockets } from '../wire/inherited-sockets.js';
import { ListenerFactory } from '../wire/listener-factory.js';
import { LOGGER, type Logger } from '../log/logger.js';
import type { Metrics } from '../observability/metrics.js';
import { TICKET_STORE, type TicketStore } from '../tickets/ticket.store.js';
import type { DataWorkers } from '../workers/data-workers.js';
import { DATA_WORKERS, dataWorkers } from './data-workers.js';
import type { EntranceOptions } from './entrance.js';
import { METRICS } from './metrics.module.js';
import { serviceListeners, type ServiceListeners } from './service-listeners.js';

/** The listeners that do the service's work. */
export const LISTENERS = Symbol('LISTENERS');

/** The listeners of a role. Keys and certificates are read here, while the process may still be root. */
@Global()
@Module({})
export class ListenersModule implements OnModuleDestroy {
  constructor(@Inject(DATA_WORKERS) private readonly dataWorkers: DataWorkers | undefined) {}

  async onModuleDestroy(): Promise<void> {
    await this.dataWorkers?.close();
  }

  /**
   * @param tickets the module of the tickets
   * @param audienceOf whose routes a client of the network can reach
   * @param role whose option says how many data workers there are
   * @param inherited sockets that the process was started with
   */
  static of(
    tickets: DynamicModule,
    audienceOf: (config: Config) => EntranceOptions['audienceOf'],
    role: Role,
    inherited?: InheritedSockets,
  ): DynamicModule {
    return {
      module: ListenersModule,
      imports: [tickets],
      providers: [
        {
          provide: ListenerFactory,
          inject: [CONFIG, LOGGER, METRICS, DATA_WORKERS],
          useFactory: (
            config: Config,
            logger: Logger,
            metrics: Metrics | undefined,
            threads: DataWorkers | undefined,
          ) => new ListenerFactory(config, logger, metrics?.listeners, inherited, threads),
        },
        {
          provide: DATA_WORKERS,
          inject: [CONFIG, LOGGER, METRICS],
          useFactory: (config: Config, logger: Logger, metrics?: Metrics) => {
            const count = tlsThreadCount(config, role);
            const parts = { config, logger, metrics, listener: 'remote' };
            return count === 0 ? undefined : dataWorkers(count, parts);
          },
        },
        {
          provide: LISTENERS,
          inject: [CONFIG, ListenerFactory, TICKET_STORE, HttpAdapterHost],
          useFactory: (
            config: Config,
            factory: ListenerFactory,
            store: TicketStore,
            adapterHost: HttpAdapterHost<ServiceAdapter>,
          ) =>
            serviceListeners(config, {
              factory,
              tickets: store,
              adapterHost,
              audienceOf: audienceOf(config),
            }),
        },
        { provide: LOCAL_SOCKET, inject: [LISTENERS], useFactory: localSocket },
        { provide: SERVICE_KEY, inject: [LISTENERS], useFactory: serviceKey },
      ],
      exports: [DATA_WORKERS, ListenerFactory, LISTENERS, LOCAL_SOCKET, SERVICE_KEY],
    };
  }
}

function localSocket({ local }: ServiceListeners): LocalSocket {
  return {
    get address() {
      return local?.unixAddress?.address;
    },
  };
}

function serviceKey({ remote }: ServiceListeners): ServiceKey {
  return {
    get tls() {
      return remote.tls;
    },
  };
}
