import { boolean } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';

export const transferPageSection = defineSection({
  name: 'transfer_page',
  description: 'The page for people who upload or download a disk in a browser, at `/transfer/`.',
  options: {
    enable: boolean('enable', {
      default: { daemon: false, proxy: true },
      description:
        'Serve it on the remote listener. It allows nothing: as for every client, the ticket decides. ' +
        'People meet the proxy; a host has no need to show it.',
    }),
  },
});

export type TransferPageConfig = SectionValues<typeof transferPageSection>;
