import { Inject, Module, type DynamicModule } from '@nestjs/common';
import type { Config } from '../config/config.js';
import { NotAllowedError } from '../base/errors.js';
import { SettingsModule } from '../framework/settings.module.js';
import { InfoModule } from '../framework/info.controller.js';
import { IMAGE_SOURCES, type ImageSource } from '../images/backends/backend.js';
import { BufferPool } from '../images/buffers/buffer-pool.js';
import { digestMetrics } from '../images/checksum/digest-metrics.js';
import { KeptDigests } from '../images/checksum/kept-digests.js';
import { ImageSourcesModule } from '../images/backends/image-sources.module.js';
import { bufferGauges, digestPoolGauges } from '../images/buffers/buffer-gauges.js';
import { DIGESTED_RANGES } from '../images/buffers/digested-ranges.js';
import { JobDigests, jobDigestGauges } from '../images/jobs/job-digests.js';
import { jobsGauge, RunningJobs } from '../images/jobs/running-jobs.js';
import { CopiesModule } from '../images/copies.module.js';
import { ImagesModule } from '../images/images.module.js';
import type { SessionCredentials } from '../relay/access/relay-access.js';
import { relayBufferGauges } from '../relay/buffers/relay-buffer-gauges.js';
import { RelayBufferPool } from '../relay/buffers/relay-buffer-pool.js';
import { RelayModule } from '../relay/relay.module.js';
import { eventStreamGauge } from '../tickets/event-stream-gauge.js';
import { TICKET_JOURNAL } from '../tickets/journal/open-journal.js';
import type { TicketJournal } from '../tickets/journal/ticket-journal.js';
import { restoredTicketsGauge, ticketGauge } from '../tickets/ticket-gauge.js';
import { TICKET_STORE, type TicketStore } from '../tickets/ticket.store.js';
import { TicketsModule } from '../tickets/tickets.module.js';
import { EventStreams } from '../wire/event-stream.js';
import type { EntranceOptions } from './entrance.js';
import { DataWorkers } from '../workers/data-workers.js';
import { LentImages } from '../images/transfer/lent-images.js';
import { DATA_WORKERS } from './data-workers.js';
import { ListenersModule } from './listeners.module.js';
import { MetricsModule } from './metrics.module.js';
import type { RoleInputs } from './role-inputs.js';
import { daemonSchemes } from '../daemons/daemon-schemes.js';
import { BACKGROUND_WORK, GAUGES, HEALTH_CHECKS, serviceProviders } from './service.providers.js';

/** A daemon has no sessions: a ticket of its own is the only permission. */
const ticketsOnly: SessionCredentials = {
  find: async () => undefined,
  refusal: () => new NotAllowedError('No such ticket'),
};

/**
 * The daemon: exposes the images of this host, and relays tickets whose images other daemons have. Which of
 * the two a request is for, the url of its ticket says.
 */
@Module({})
export class DaemonModule {
  constructor(@Inject(DATA_WORKERS) workers: DataWorkers | undefined, images: LentImages) {
    if (workers?.canRead === true) workers.lender = images;
  }

  static of({ config, logger, ticketFiles, trust, inherited }: RoleInputs): DynamicModule {
    const tickets = TicketsModule.register({
      imports: [ImageSourcesModule],
      schemes: {
        inject: [IMAGE_SOURCES],
        useFactory: (sources: readonly ImageSource[]) => sources.flatMap(({ schemes }) => schemes),
      },
      ticketFiles,
      trust,
    });
    const images = ImagesModule.register(tickets);
    const relay = RelayModule.register({
      audience: 'relayed',
      imports: [tickets],
      credentials: { useValue: ticketsOnly },
    });
    const audienceOf = ({ tls }: Config): EntranceOptions['audienceOf'] => {
      const prefixes = daemonSchemes(tls).map((scheme) => `${scheme}:`);
      return (ticket) =>
        prefixes.some((prefix) => ticket?.url.startsWith(prefix) === true) ? 'relayed' : 'network';
    };
    const listeners = ListenersModule.of(tickets, audienceOf, 'daemon', inherited);
    return {
      module: DaemonModule,
      imports: [
        SettingsModule.of(config, logger),
        MetricsModule.of('daemon'),
        listeners,
        tickets,
        images,
        CopiesModule.register(tickets, images),
        relay,
        InfoModule,
      ],
      providers: [
        {
          provide: GAUGES,
          inject: [
            TICKET_STORE,
            TICKET_JOURNAL,
            BufferPool,
            RelayBufferPool,
            RunningJobs,
            EventStreams,
            KeptDigests,
            JobDigests,
            DIGESTED_RANGES,
            DATA_WORKERS,
          ],
          useFactory: (
            store: TicketStore,
            journal: TicketJournal | undefined,
            pool: BufferPool,
            relayPool: RelayBufferPool,
            jobs: RunningJobs,
            streams: EventStreams,
            digests: KeptDigests,
            jobDigests: JobDigests,
            digestedRanges: BufferPool,
            workers: DataWorkers | undefined,
          ) => [
            ticketGauge(store),
            restoredTicketsGauge(journal?.restored ?? 0),
            eventStreamGauge(streams),
            ...bufferGauges(() => [pool, ...(workers?.buffers ?? [])]),
            ...relayBufferGauges(relayPool),
            jobsGauge(jobs),
            ...digestMetrics(digests),
            ...jobDigestGauges(jobDigests),
            ...digestPoolGauges(digestedRanges),
          ],
        },
        { provide: HEALTH_CHECKS, useValue: [] },
        { provide: BACKGROUND_WORK, useExisting: RunningJobs },
        ...serviceProviders,
      ],
    };
  }
}
