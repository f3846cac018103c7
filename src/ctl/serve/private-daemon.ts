import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Endpoint } from '#sdk';
import { CommandError } from '../command-error.js';
import { urlOf, type ServingDaemon } from './serving-daemon.js';
import { makeThrowAwayIdentity } from './throw-away-identity.js';

const serviceProgram = fileURLToPath(new URL('../../main.js', import.meta.url));
/** What is shown of a daemon that did not start. */
const lastLinesMax = 5;

export interface PrivateDaemonOptions {
  /** By which clients reach it; undefined for the name of this host. */
  readonly host: string | undefined;
  /** 0 for any free one. */
  readonly port: number;
  /** How long its certificates are valid at least. */
  readonly lifetimeSeconds: number;
}

/** What the service logs when it takes requests. */
interface ReadyRecord {
  readonly msg: string;
  readonly listeners: readonly { readonly name: string; readonly address: string }[];
}

/** A daemon for one disk, with a folder, keys and sockets of its own. It ends with this object. */
export class PrivateDaemon implements ServingDaemon {
  readonly userId = process.geteuid?.() ?? 0;

  private constructor(
    private readonly folder: string,
    private readonly service: ChildProcess,
    readonly control: Endpoint,
    readonly imagesUrl: string,
    readonly cafile: string,
  ) {}

  /** @throws CommandError with the last lines of the log when it does not start */
  static async start({ host, port, lifetimeSeconds }: PrivateDaemonOptions): Promise<PrivateDaemon> {
    const name = host ?? hostname();
    const folder = await mkdtemp(join(tmpdir(), 'imageio-'));
    try {
      const cafile = join(folder, 'ca.pem');
      const { authorityPem, certificatePem, keyPem } = await makeThrowAwayIdentity(
        [...new Set([name, 'localhost', ...ownAddresses()])],
        lifetimeSeconds * 1000,
      );
      await writeFile(cafile, authorityPem);
      await writeFile(join(folder, 'cert.pem'), certificatePem);
      await writeFile(join(folder, 'key.pem'), keyPem, { mode: 0o600 });
      await mkdir(join(folder, 'conf.d'));
      await writeFile(join(folder, 'conf.d', '50-serve.conf'), configuration(folder, port));
      const service = spawn(process.execPath, ['--enable-source-maps', serviceProgram, '-c', folder], {
        stdio: ['ignore', 'ignore', 'pipe'],
        // Ctrl-C in a terminal is for this program, which ends the daemon in order.
        detached: true,
      });
      const killService = (): void => {
        service.kill('SIGKILL');
      };
      process.once('exit', killService);
      service.once('exit', () => process.off('exit', killService));
      const { port: boundPort } = await ready(service);
      const control = { baseUrl: 'http://localhost', socketPath: join(folder, 'control.sock') };
      return new PrivateDaemon(folder, service, control, urlOf('https', name, boundPort), cafile);
    } catch (error: unknown) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.service.exitCode === null && this.service.signalCode === null) {
      const ended = once(this.service, 'exit');
      this.service.kill('SIGTERM');
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Nothing of it needs root, and nothing of it is where another daemon has its own. */
function configuration(folder: string, port: number): string {
  return [
    '[daemon]',
    `run_dir = ${folder}`,
    'drop_privileges = false',
    'systemd_enable = false',
    '[tls]',
    `key_file = ${join(folder, 'key.pem')}`,
    `cert_file = ${join(folder, 'cert.pem')}`,
    `ca_file = ${join(folder, 'ca.pem')}`,
    '[remote]',
    `port = ${port}`,
    '[local]',
    'enable = false',
    '[control]',
    'transport = unix',
    `socket = ${join(folder, 'control.sock')}`,
    '[metrics]',
    'enable = false',
    '',
  ].join('\n');
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    // A link-local address means something only together with an interface.
    addresses.filter(({ scopeid = 0 }) => scopeid === 0).map(({ address }) => address),
  );
}

async function ready(service: ChildProcess): Promise<{ readonly port: number }> {
  if (service.stderr === null) throw new Error('The daemon has no standard error');
  const lines: string[] = [];
  const log = createInterface({ input: service.stderr });
  return new Promise((resolve, reject) => {
    service.once('error', reject);
    log.on('line', (line) => {
      const port = portOf(line);
      if (port !== undefined) resolve({ port });
      lines.push(line);
      if (lines.length > lastLinesMax) lines.shift();
    });
    log.once('close', () => {
      reject(new CommandError(`the daemon did not start:\n${lines.join('\n')}`));
    });
  });
}

/** Of the record that says that the service takes requests; undefined for every other line. */
function portOf(line: string): number | undefined {
  if (!line.includes('"Ready for requests"')) return undefined;
  const { listeners } = JSON.parse(line) as ReadyRecord;
  const address = listeners.find(({ name }) => name === 'remote')?.address ?? '';
  return Number(/:(\d+)$/.exec(address)?.[1]);
}
