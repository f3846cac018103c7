import { boolean, port, string } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';
import { refuseEmpty } from '../string-checks.js';

const hostName = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i;

/** The names in the text of `allowed_hosts`. */
export function listOfHosts(text: string): string[] {
  return text === '' ? [] : text.split(',').map((name) => name.trim());
}

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
    allowedHosts: string('allowed_hosts', {
      default: '',
      check: (text) =>
        listOfHosts(text).every((name) => hostName.test(name))
          ? undefined
          : 'expected names of hosts without ports, separated by commas',
      description:
        'Names of the listener, separated by commas, that requests may be for besides addresses, ' +
        'localhost and the name of this host: others may be the work of web pages (DNS rebinding).',
    }),
    port: port('port', {
      default: { daemon: 54325, proxy: 54326 },
      description: 'Port to listen on; 0 takes any free one, which the log reports at start.',
    }),
  },
});

export type MetricsConfig = SectionValues<typeof metricsSection>;
