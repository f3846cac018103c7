import { boolean, socketName } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';

export const localSection = defineSection({
  name: 'local',
  description: 'The unix socket for clients on the same host, which then need neither network nor TLS.',
  options: {
    enable: boolean('enable', {
      default: { daemon: true, proxy: false },
      description:
        'Listen on the unix socket. A proxy has no images on its own host, so it does not by default.',
    }),
    socket: socketName('socket', {
      default: '\0/org/ovirt/imageio',
      description:
        'Path, or abstract name written \\u0000name. Empty: a random abstract name, so that several can ' +
        'run on one host.',
    }),
  },
});

export type LocalConfig = SectionValues<typeof localSection>;
