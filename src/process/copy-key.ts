import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorMessage } from '../base/error-details.js';
import { loadConfig } from '../config/load-config.js';
import { groupIdOf } from '../native/accounts.js';

const keyFileVariable = 'IMAGEIO_TLS__KEY_FILE';

/**
 * A program of its own, which systemd runs as root beside an engine: only root may read the key there, and
 * the service is never root. It copies the key of the configuration to the file that the environment names
 * to the service, which its group may read and only root may change.
 */
try {
  const { [keyFileVariable]: copy, ...environment } = process.env;
  if (copy === undefined) throw new Error(`${keyFileVariable} does not name where the copy is to be`);
  const [flag, confDir = '/etc/ovirt-imageio'] = process.argv.slice(2);
  if (flag !== undefined && flag !== '--conf-dir')
    throw new Error('It takes --conf-dir DIR and nothing else');
  const { tls, daemon } = loadConfig({
    role: 'daemon',
    confDir,
    environment,
    incompleteAllowed: true,
  }).config;
  if (tls.enable && tls.keyFile !== '') copyKey(tls.keyFile, copy, daemon.groupName);
} catch (error: unknown) {
  process.stderr.write(`Cannot copy the key for the service: ${errorMessage(error)}\n`);
  process.exitCode = 1;
}

/** By a new file that takes the place of the old one at once: the service may read it at any moment. */
function copyKey(keyFile: string, copy: string, groupName: string): void {
  const groupId = groupIdOf(groupName);
  if (groupId === undefined) throw new Error(`Group ${groupName} of [daemon] group_name does not exist`);
  const key = readFileSync(keyFile);
  const folder = dirname(copy);
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  chownSync(folder, 0, groupId);
  chmodSync(folder, 0o750);
  const incomplete = `${copy}.new`;
  rmSync(incomplete, { force: true });
  writeFileSync(incomplete, key, { flag: 'wx', mode: 0o400 });
  chownSync(incomplete, 0, groupId);
  chmodSync(incomplete, 0o440);
  renameSync(incomplete, copy);
}
