import { spawnSync } from 'node:child_process';
import { needs } from '../support/requirements.js';

/** Namespaces of its own: what root does there is gone afterwards, ports and users included. */
export const ownMachine = [
  'unshare',
  ...['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', 'bash'],
];

/** Makes it look as if nobody had been here: no user of the service, no configuration, nothing below /run. */
export const freshMachine = `
set -e
ip link set lo up
for folder in /run /var/log /var/tmp; do mount -t tmpfs tmpfs $folder; done
mkdir -m 755 /run/etc && cp -a /etc/. /run/etc && mount --bind /run/etc /etc
sed -i '/^ovirtimg:/d' /etc/passwd /etc/group /etc/*shadow
rm -rf /etc/ovirt-imageio
chmod 1777 /var/tmp
`;

/** For the `skip` option of node:test: tries it out. */
export function needsOwnMachine(): string | false {
  if (process.geteuid?.() !== 0) return 'needs root';
  const missing = needs('unshare', 'ip', 'useradd', 'openssl');
  if (missing !== false) return missing;
  const [command = '', ...args] = ownMachine;
  const { status } = spawnSync(command, [...args, '-c', freshMachine]);
  return status === 0 ? false : 'needs namespaces with mounts of their own, which are not allowed here';
}
