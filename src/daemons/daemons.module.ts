import { Inject, Module, type OnModuleDestroy } from '@nestjs/common';
import type { Config } from '../config/config.js';
import { CONFIG } from '../framework/settings.module.js';
import { DaemonAgents, daemonAuthorities } from './daemon-agents.js';

/** The connections to daemons of other hosts. */
@Module({
  providers: [
    {
      provide: DaemonAgents,
      inject: [CONFIG],
      useFactory: (config: Config) => new DaemonAgents(daemonAuthorities(config)),
    },
  ],
  exports: [DaemonAgents],
})
export class DaemonsModule implements OnModuleDestroy {
  constructor(@Inject(DaemonAgents) private readonly agents: DaemonAgents) {}

  onModuleDestroy(): void {
    this.agents.close();
  }
}
