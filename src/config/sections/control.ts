import { boolean, integer, oneOf, port, socketName, timeoutSecondsMax } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';

export const controlSection = defineSection({
  name: 'control',
  description:
    'The listener that tickets are added, watched and removed through. Reaching it is the permission.',
  options: {
    enable: boolean('enable', {
      default: true,
      description: 'Listen for ticket requests.',
    }),
    transport: oneOf('transport', {
      choices: ['unix', 'tcp'],
      default: 'unix',
      description:
        'unix: the socket below, protected by its mode 0660. tcp: localhost, open to all users of the host.',
    }),
    socket: socketName('socket', {
      default: '/run/ovirt-imageio/sock',
      description: 'Path of the unix socket.',
    }),
    port: port('port', {
      default: -1,
      minimum: -1,
      description:
        'Port on localhost for transport tcp; -1 or 0 takes any free one, which the log reports at start.',
    }),
    preferIpv4: boolean('prefer_ipv4', {
      default: true,
      description:
        'For transport tcp, listen on the IPv4 address of localhost: some clients try only the first ' +
        'address of the name.',
    }),
    removeTimeoutSeconds: integer('remove_timeout', {
      default: 60,
      minimum: 0,
      maximum: timeoutSecondsMax,
      unit: 'seconds',
      description:
        'How long removing a ticket waits for its running operations to end before 409. 0 does not wait: ' +
        'the caller asks again.',
    }),
  },
});

export type ControlConfig = SectionValues<typeof controlSection>;
