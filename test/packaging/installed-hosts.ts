import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  cpSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Pki, type Identity } from '../support/pki.js';
import { pythonTool } from '../support/python-tools.js';
import type { TemporaryFolder } from '../support/temporary-folder.js';
import { InstalledUnit, OwnNetwork, idsOf } from './installed-units.js';
import type { ThrowAwayRoot } from './throw-away-root.js';

const sizeBytes = 1024 ** 3;
const service = 'ovirt-imageio.service';

/** As vdsm and engine-setup write them. */
const vdsmConfiguration = `[tls]
key_file = /etc/pki/vdsm/keys/vdsmkey.pem
cert_file = /etc/pki/vdsm/certs/vdsmcert.pem
ca_file = /etc/pki/vdsm/certs/cacert.pem
`;
const engineConfiguration = `[tls]
key_file = /etc/pki/ovirt-engine/keys/apache.key.nopass
cert_file = /etc/pki/ovirt-engine/certs/apache.cer
ca_file = /etc/pki/ovirt-engine/apache-ca.pem

[backend_http]
ca_file = /etc/pki/ovirt-engine/ca.pem

[remote]
port = 54323

[local]
enable = false

[control]
transport = tcp
port = 54324
`;

/**
 * A host and the machine of an engine, with what is installed in `root`: an image goes from the Python client
 * to the host, and back through the engine's machine, before and after a renewal of its key.
 */
export async function transferAsVdsmAndEngine(root: ThrowAwayRoot, folder: TemporaryFolder): Promise<void> {
  const pki = await Pki.create(folder.file('hosts-pki'));
  const engine = secondMachine(root, folder.file('engine'));
  for (const program of [root.file('usr/lib/ovirt-imageio-ts/bin/node'), '/usr/bin/kill'])
    root.bringLibraries(program);
  copyFileSync('/usr/bin/kill', root.file('usr/bin/kill'));
  for (const place of [root, engine]) writeFileSync(place.file('etc/hosts'), '127.0.0.1 localhost\n');
  chmodSync(folder.path, 0o755);
  await using network = await OwnNetwork.create([
    `mount --bind ${root.file('usr')} ${engine.file('usr')}`,
    ...[root, engine].flatMap(({ path }) => [
      `mount --rbind /proc ${path}/proc`,
      `mount --rbind /dev ${path}/dev`,
    ]),
  ]);

  await prepareHost(root, pki);
  network.run('chroot', root.path, 'ovirt-imageio-switch', '--no-start', 'host');
  await using host = await InstalledUnit.start(network, root, service);
  assertUnprivileged(host.pid, idsOf(root, 'ovirtimg').user);

  const engineIdentity = await pki.issueHost('engine');
  const putEngineKey = ({ keyPem, certPem }: Identity): void => {
    putKey(engine.file('etc/pki/ovirt-engine/keys/apache.key.nopass'), keyPem, 0o600, 0);
    put(engine.file('etc/pki/ovirt-engine/certs/apache.cer'), certPem);
  };
  putEngineKey(engineIdentity);
  for (const name of ['apache-ca.pem', 'ca.pem']) put(engine.file(`etc/pki/ovirt-engine/${name}`), pki.caPem);
  put(engine.file('etc/ovirt-imageio/conf.d/50-engine.conf'), engineConfiguration);
  network.run('chroot', engine.path, 'ovirt-imageio-switch', '--no-start', 'engine');
  await using relay = await InstalledUnit.start(network, engine, service);
  assertUnprivileged(relay.pid, idsOf(engine, 'ovirtimg').user);

  const image = 'rhev/data-center/disk';
  makeImage(root.file(image));
  const source = folder.file('source');
  writeSparse(source);
  const asVdsm = ['setpriv', '--reuid=36', '--regid=36', `--groups=36,${idsOf(root, 'ovirtimg').group}`];
  const addTicket = (ops: string): string => {
    const uuid = randomUUID();
    const ticket = { uuid, size: sizeBytes, ops: [ops], timeout: 300, sparse: true };
    const ofHost = JSON.stringify({ ...ticket, url: `file:///${image}` });
    const ofEngine = JSON.stringify({ ...ticket, url: `https://localhost:54322/images/${uuid}` });
    const curl = ['curl', '--silent', '--show-error', '--fail-with-body', '-X', 'PUT', '--data-binary'];
    const control = ['--unix-socket', root.file('run/ovirt-imageio/sock')];
    network.run(...asVdsm, ...curl, ofHost, ...control, `http://localhost/tickets/${uuid}`);
    network.run(...curl, ofEngine, `http://localhost:54324/tickets/${uuid}`);
    return uuid;
  };
  const python = (direction: 'upload' | 'download', port: number, file: string): void => {
    const url = `https://localhost:${port}/images/${addTicket(direction === 'upload' ? 'write' : 'read')}`;
    const [from, to] = direction === 'upload' ? [file, url] : [url, file];
    // Else it makes a qcow2 file.
    const format = direction === 'download' ? ', fmt="raw"' : '';
    const call = `client.${direction}(*sys.argv[1:]${format})`;
    const program = `import sys; from ovirt_imageio import client; ${call}`;
    network.run(pythonTool('python', 'ovirt-img'), '-c', program, from, to, pki.caFile);
  };

  python('upload', 54322, source);
  execFileSync('cmp', [source, root.file(image)]);
  python('download', 54323, folder.file('copy'));
  execFileSync('cmp', [source, folder.file('copy')]);

  const renewed = await pki.issueHost('renewed');
  putEngineKey(renewed);
  relay.reload();
  await relay.waitFor('Reloaded the certificate');
  const shown = network.run('openssl', 's_client', '-connect', 'localhost:54323', '-showcerts');
  assert.equal(
    new X509Certificate(shown).fingerprint256,
    new X509Certificate(renewed.certPem).fingerprint256,
  );
  python('upload', 54323, source);
}

/**
 * The service of a host while `upgrade` puts another release into its place: the old one goes on serving, and
 * the unit starts the new one. Restarting it is systemd's part.
 */
export async function serveThroughUpgrade(
  root: ThrowAwayRoot,
  folder: TemporaryFolder,
  releases: { readonly before: string; readonly after: string },
  upgrade: () => void,
): Promise<void> {
  await prepareHost(root, await Pki.create(folder.file('upgrade-pki')));
  root.bringLibraries(root.file('usr/lib/ovirt-imageio-ts/bin/node'));
  chmodSync(folder.path, 0o755);
  await using network = await OwnNetwork.create([
    `mount --rbind /proc ${root.path}/proc`,
    `mount --rbind /dev ${root.path}/dev`,
  ]);
  const statusOfTicket = (): string => {
    const socket = ['--unix-socket', root.file('run/ovirt-imageio/sock')];
    const status = ['--silent', '--output', '/dev/null', '--write-out', '%{http_code}'];
    return network.run('curl', ...status, ...socket, 'http://localhost/tickets/none');
  };
  {
    await using old = await InstalledUnit.start(network, root, service);
    await old.waitFor(`"version":"${releases.before}"`);
    upgrade();
    assert.equal(statusOfTicket(), '404');
  }
  await using young = await InstalledUnit.start(network, root, service);
  await young.waitFor(`"version":"${releases.after}"`);
  assert.equal(statusOfTicket(), '404');
}

async function prepareHost(root: ThrowAwayRoot, pki: Pki): Promise<void> {
  const { keyPem, certPem } = await pki.issueHost('vdsm');
  putKey(root.file('etc/pki/vdsm/keys/vdsmkey.pem'), keyPem, 0o440, 36);
  put(root.file('etc/pki/vdsm/certs/vdsmcert.pem'), certPem);
  put(root.file('etc/pki/vdsm/certs/cacert.pem'), pki.caPem);
  put(root.file('etc/ovirt-imageio/conf.d/50-vdsm.conf'), vdsmConfiguration);
}

/** Another machine with the same programs, and accounts, configuration and services of its own. */
function secondMachine(root: ThrowAwayRoot, path: string): Pick<ThrowAwayRoot, 'path' | 'file'> {
  const file = (name: string): string => join(path, name);
  for (const folder of ['usr', 'run', 'tmp', 'root', 'proc', 'dev', 'var/lib'])
    mkdirSync(file(folder), { recursive: true });
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${folder}`, file(folder));
  cpSync(root.file('etc'), file('etc'), { recursive: true, verbatimSymlinks: true });
  // Which program runs, and how, is chosen for each machine.
  for (const folder of ['etc/systemd/system', 'etc/ovirt-imageio/conf.d'])
    rmSync(file(folder), { recursive: true });
  return { path, file };
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function putKey(path: string, text: string, mode: number, owner: number): void {
  put(path, text);
  chownSync(path, owner, owner);
  chmodSync(path, mode);
}

function makeImage(path: string): void {
  put(path, '');
  chownSync(path, 36, 36);
  chmodSync(path, 0o660);
}

/** 1 GiB with some data at its ends and in between. */
function writeSparse(path: string): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, sizeBytes);
  for (const offset of [0, sizeBytes / 2, sizeBytes - 1024 ** 2])
    writeSync(file, Buffer.alloc(1024 ** 2, String(offset)), 0, 1024 ** 2, offset);
  closeSync(file);
  assert.equal(statSync(path).size, sizeBytes);
}

function assertUnprivileged(pid: number, user: number): void {
  assert.match(
    readFileSync(`/proc/${pid}/status`, 'utf8'),
    new RegExp(`^Uid:\\t${user}\\t${user}\\t${user}\\t`, 'm'),
  );
}
