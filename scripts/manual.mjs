// Writes the manual pages, of the same definitions as the help of each program: that of the client where
// package.json names it, those of the daemon and of ovirt-imageioctl under the names that packages give them.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './console.mjs';

const load = (module) => import(join(projectRoot, 'dist', module));
const write = (page, text) => writeFileSync(join(projectRoot, 'dist', page), text);

const { imageio } = await load('client/program.js');
const { manualPage } = await load('client/manual.js');
write('client/imageio.1', manualPage(imageio()));

const { manualOfHelp } = await load('client/help-manual.js');
const daemon = await load('process/command-line.js');
write(
  'process/ovirt-imageio-ts.8',
  manualOfHelp({
    name: 'ovirt-imageio-ts',
    command: 'ovirt-imageio',
    help: daemon.helpText,
    sections: [
      [
        'SIGNALS',
        'SIGTERM and SIGINT stop the service when running requests have ended, or after a grace.',
        'A second one stops it at once.',
        'SIGHUP has it read its configuration and certificates, and open its log, anew.',
      ],
      ['EXIT STATUS', '0 stopped, 1 could not start, 2 wrong usage.'],
      ['FILES', '/etc/ovirt-imageio/conf.d/*.conf, /usr/lib/ovirt-imageio/conf.d/*.conf: the configuration.'],
    ],
    seeAlso: ['ovirt-imageioctl-ts(8)', 'ovirt-imageio-switch(8)', 'imageio(1)'],
  }),
);
const ctl = await load('ctl/arguments.js');
write(
  'ctl/ovirt-imageioctl-ts.8',
  manualOfHelp({
    name: 'ovirt-imageioctl-ts',
    command: 'ovirt-imageioctl',
    help: ctl.helpText,
    seeAlso: ['ovirt-imageio-ts(8)', 'ovirt-imageio-switch(8)', 'imageio(1)'],
  }),
);
