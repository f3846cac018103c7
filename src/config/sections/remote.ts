import { port, string } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';
import { refuseEmpty } from '../string-checks.js';

export const remoteSection = defineSection({
  name: 'remote',
  description: 'The listener for clients on the network.',
  options: {
    host: string('host', {
      default: '::',
      check: refuseEmpty,
      description: 'Address to listen on; :: is every interface, IPv4 included.',
    }),
    port: port('port', {
      default: { daemon: 54322, proxy: 54323 },
      description: 'Port to listen on; 0 takes any free one, which the log reports at start.',
    }),
  },
});

export type RemoteConfig = SectionValues<typeof remoteSection>;
