import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { parseAddress, type Address } from './address.js';
import { mergeConfigurations, writeConfiguration, type Configuration } from './configuration.js';
import type { Identity, Pki } from './pki.js';
import { describeExit, Program } from './program.js';
import { pinnedNode, serviceProgram } from './project.js';
import { Vdsm } from './vdsm.js';

/** Data workers of services whose tests say nothing of them: all tests pass with and without. */
const workers = Number(process.env['TEST_WORKERS'] ?? '0');

export type Role = 'daemon' | 'proxy';

export type ListenerName = 'remote' | 'local' | 'control' | 'metrics';

export interface StartOptions {
  /** Where the configuration and the control socket go; must exist. */
  readonly folder: string;
  readonly pki: Pki;
  /** The certificate of the remote service; issued for localhost when absent. */
  readonly identity?: Identity;
  /** The engine's certificate, which a proxy verifies signed tickets with. */
  readonly engine?: Pick<Identity, 'certFile'>;
  /** Laid over the defaults for tests. */
  readonly configuration?: Configuration;
  readonly env?: NodeJS.ProcessEnv;
  /** A program and its arguments that start it, e.g. as another user; it becomes the service by execve. */
  readonly startedBy?: readonly string[];
  /** More arguments, e.g. `['--ticket', file]`. */
  readonly args?: readonly string[];
}

interface ReadyRecord {
  readonly msg: string;
  readonly listeners: readonly { readonly name: ListenerName; readonly address: string }[];
}

/** A running daemon or proxy. */
export class Service {
  private constructor(
    readonly role: Role,
    readonly program: Program,
    private readonly listeners: ReadonlyMap<ListenerName, Address>,
  ) {}

  /** Starts the built program with a configuration of its own and waits until it takes requests. */
  static async start(role: Role, options: StartOptions): Promise<Service> {
    const confDir = join(options.folder, role);
    const identity = options.identity ?? (await options.pki.issueHost(role));
    const configuration = mergeConfigurations(
      testDefaults(role, options, identity),
      options.configuration ?? {},
    );
    await writeConfiguration(confDir, configuration);
    const [command = pinnedNode, ...args] = [
      ...(options.startedBy ?? []),
      ...[pinnedNode, '--enable-source-maps', serviceProgram, '-c', confDir, '--role', role],
      ...(options.args ?? []),
    ];
    const program = await Program.start(command, args, options.env === undefined ? {} : { env: options.env });
    try {
      const ready = await program.waitForLine(readyRecord, `the ${role} to be ready for requests`);
      const listeners = new Map(
        ready.listeners.map(({ name, address }) => [name, parseAddress(address, options.pki.caPem)]),
      );
      return new Service(role, program, listeners);
    } catch (error) {
      await program.kill();
      throw error;
    }
  }

  /** @throws when that listener is off */
  address(name: ListenerName): Address {
    const address = this.listeners.get(name);
    if (address === undefined) throw new Error(`The ${this.role} has no ${name} listener`);
    return address;
  }

  /** `https://localhost:PORT` of the remote service, without a slash at the end. */
  get url(): string {
    const address = this.address('remote');
    if (address.kind === 'unix') throw new Error(`The remote listener of the ${this.role} is a unix socket`);
    return `${address.kind === 'tls' ? 'https' : 'http'}://localhost:${address.port}`;
  }

  /** A ticket client at its control service. */
  get vdsm(): Vdsm {
    const address = this.address('control');
    if (address.kind === 'tls') throw new Error('A control service speaks no TLS');
    return new Vdsm(address);
  }

  /** What it logged so far: one parsed record for each line that is JSON. */
  get log(): readonly Readonly<Record<string, unknown>>[] {
    return this.program.lines.flatMap((line) => {
      const record = parseRecord(line);
      return record === undefined ? [] : [record];
    });
  }

  /** All output as text, for tests that search it for secrets. */
  get logText(): string {
    return this.program.lines.join('\n');
  }

  /**
   * Stops it in an orderly way.
   * @throws unless it exits with 0
   */
  async stop(): Promise<void> {
    const exit = await this.program.stop();
    if (exit.code !== 0)
      throw new Error(
        `The ${this.role} ended with ${describeExit(exit)} after SIGTERM\n${this.program.lastLines()}`,
      );
  }
}

export function startDaemon(options: StartOptions): Promise<Service> {
  return Service.start('daemon', options);
}

export function startProxy(options: StartOptions): Promise<Service> {
  return Service.start('proxy', options);
}

/** Free ports, sockets of its own, nothing that needs root: any number of services run side by side. */
function testDefaults(role: Role, options: StartOptions, identity: Identity): Configuration {
  const engine =
    options.engine === undefined
      ? {}
      : { engine_cert_file: options.engine.certFile, engine_ca_cert_file: options.pki.caFile };
  return {
    daemon: { run_dir: options.folder, drop_privileges: false, systemd_enable: false, workers },
    proxy: { workers, ...engine },
    tls: { key_file: identity.keyFile, cert_file: identity.certFile, ca_file: options.pki.caFile },
    remote: { host: '127.0.0.1', port: 0 },
    local:
      role === 'daemon'
        ? { enable: true, socket: `\\u0000/ovirt-imageio-test/${randomUUID()}` }
        : { enable: false },
    control: { enable: true, transport: 'unix', socket: join(options.folder, `${role}.sock`) },
  };
}

function readyRecord(line: string): ReadyRecord | undefined {
  const record = parseRecord(line) as ReadyRecord | undefined;
  return record?.msg === 'Ready for requests' ? record : undefined;
}

function parseRecord(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    // Not a record but something else that was printed, such as the text of a crash.
    return undefined;
  }
}
