import { boolean, integer, oneOf, string, timeoutSecondsMax } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';
import { refuseEmpty } from '../string-checks.js';
import { workersOption } from '../workers-option.js';

export const daemonSection = defineSection({
  name: 'daemon',
  description: 'The process itself: who it runs as and how much one image may use.',
  options: {
    connectionsMax: integer('max_connections', {
      default: 8,
      minimum: 1,
      maximum: 1024,
      unit: 'connections',
      description:
        'The most connections that clients are told to use on one image. More than eight gain nothing on ' +
        'common storage.',
    }),
    inactivityTimeoutSeconds: integer('inactivity_timeout', {
      default: 60,
      minimum: 1,
      maximum: timeoutSecondsMax,
      unit: 'seconds',
      description: 'How long an authorised connection may be silent when its ticket does not say.',
    }),
    runDir: string('run_dir', {
      default: '/run/ovirt-imageio',
      check: refuseEmpty,
      description: 'Folder of the control socket; given to user_name when privileges are dropped.',
    }),
    dropPrivileges: boolean('drop_privileges', {
      default: true,
      description: 'When started as root, continue as user_name and group_name once every listener is bound.',
    }),
    userName: string('user_name', {
      default: 'ovirtimg',
      check: refuseEmpty,
      description: 'The user to run as after privileges are dropped.',
    }),
    groupName: string('group_name', {
      default: 'ovirtimg',
      check: refuseEmpty,
      description: 'The group to run as after privileges are dropped.',
    }),
    workers: workersOption(
      ', and answer plain downloads of files and block devices by themselves; uploads cost more ' +
        'processor with them',
    ),
    keepTickets: oneOf('keep_tickets', {
      choices: ['never', 'restart'],
      default: 'never',
      description:
        'Whether tickets outlive the process. never: they are gone when it ends, and with them the ' +
        'transfers of the host. restart: they are kept for the next process in tickets.journal in run_dir, ' +
        'which has the ids in it and has to be on a tmpfs; they are gone when the host is booted.',
    }),
    systemdEnable: boolean('systemd_enable', {
      default: true,
      description: 'Tell systemd when the service is ready and when it stops, if NOTIFY_SOCKET is set.',
    }),
  },
  ignored: {
    poll_interval: 'Nothing polls here: the service waits on events.',
  },
});

export type DaemonConfig = SectionValues<typeof daemonSection>;
