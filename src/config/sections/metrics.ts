import { boolean, port, string } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';
import { refuseEmpty } from '../string-checks.js';

export const metricsSection = defineSection({
  name: 'metrics',
  description: 'The listener for metrics and health checks: plain HTTP, without tickets.',
  options: {
    enable: boolean('enable', {
      default: false,
      description: 'Listen for metrics and health requests.',
    }),
    host: string('host', {
      default: '127.0.0.1',
      check: refuseEmpty,
      description: 'Address to listen on; only this host by default, since nothing protects the listener.',
    }),
    port: port('port', {
      default: { daemon: 54325, proxy: 54326 },
      description: 'Port to listen on; 0 takes any free one, which the log reports at start.',
    }),
  },
});

export type MetricsConfig = SectionValues<typeof metricsSection>;
