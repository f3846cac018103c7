import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Address } from '../test/support/address.js';
import { ImagesClient } from '../test/support/client.js';
import { writeConfiguration } from '../test/support/configuration.js';
import { eventually } from '../test/support/deadline.js';
import type { Identity, Pki } from '../test/support/pki.js';
import type { Role } from '../test/support/processes.js';
import { Program } from '../test/support/program.js';
import { Vdsm } from '../test/support/vdsm.js';
import type { Side } from './side.js';

export interface BenchServerOptions {
  readonly side: Side;
  readonly role: Role;
  /** Made for this server alone. */
  readonly folder: string;
  readonly pki: Pki;
  readonly identity: Identity;
  /** Whether it has a local service; a relay would take it instead of HTTPS. */
  readonly local: boolean;
}

export interface BenchTicket {
  readonly id: string;
  readonly url: string;
  readonly sizeBytes: number;
  readonly ops: readonly ('read' | 'write')[];
}

/** Variables of the caller that cost a server time or memory, or change what it runs. */
const withoutCallersVariables = {
  NODE_OPTIONS: undefined,
  NODE_EXTRA_CA_CERTS: undefined,
  UV_THREADPOOL_SIZE: undefined,
};

/** A running service of either side. Both read the same configuration. */
export class BenchServer {
  readonly localSocket: string;
  readonly vdsm: Vdsm;

  private constructor(
    readonly program: Program,
    readonly port: number,
    private readonly options: BenchServerOptions,
    controlSocket: string,
  ) {
    this.localSocket = localSocketIn(options.folder);
    this.vdsm = new Vdsm({ kind: 'unix', path: controlSocket });
  }

  /** Starts it and waits until it answers on its control and its remote service. */
  static async start(options: BenchServerOptions): Promise<BenchServer> {
    const { side, role, folder, pki, identity } = options;
    await mkdir(folder, { recursive: true });
    const port = await freePort();
    const controlSocket = join(folder, 'control.sock');
    await writeConfiguration(folder, {
      daemon: { run_dir: folder, drop_privileges: false, systemd_enable: false },
      tls: { enable: true, key_file: identity.keyFile, cert_file: identity.certFile, ca_file: pki.caFile },
      remote: { host: '127.0.0.1', port },
      local: { enable: options.local, socket: localSocketIn(folder) },
      control: { transport: 'unix', socket: controlSocket },
      // For the Python service, which logs to a file of its package unless told otherwise; ours reads these
      // sections silently.
      handlers: { keys: 'stderr' },
      logger_root: { level: 'INFO', handlers: 'stderr' },
    });
    const [command = '', ...args] = side.command(role);
    const program = await Program.start(command, [...args, '-c', folder], { env: withoutCallersVariables });
    const server = new BenchServer(program, port, options, controlSocket);
    await server.#ready();
    return server;
  }

  get caFile(): string {
    return this.options.pki.caFile;
  }

  /** The address of the remote service. */
  get remote(): Address {
    return { kind: 'tls', port: this.port, ca: this.options.pki.caPem };
  }

  /** Where a client finds the image of a ticket. */
  imageUrl(ticketId: string): string {
    return `https://localhost:${this.port}/images/${ticketId}`;
  }

  async addTicket({ id, url, sizeBytes, ops }: BenchTicket): Promise<void> {
    await this.vdsm.addTicket({
      uuid: id,
      url,
      size: sizeBytes,
      ops,
      sparse: true,
      timeout: 86_400,
      inactivity_timeout: 3600,
    });
  }

  /** Kills the server: how it stops is not measured, and waiting for an orderly stop would only take time. */
  async stop(): Promise<void> {
    await this.program.kill();
  }

  async #ready(): Promise<void> {
    const client = new ImagesClient(this.remote);
    try {
      await eventually(async () => {
        if (this.program.hasExited)
          throw new Error(`The service ended at its start\n${this.program.lastLines()}`);
        try {
          await this.vdsm.request('GET', '/tickets/none');
          return await client.capabilities('*');
        } catch {
          return undefined;
        }
      }, `${this.options.side.name} answers`);
    } finally {
      client.close();
    }
  }
}

function localSocketIn(folder: string): string {
  return join(folder, 'local.sock');
}

/**
 * A port that was free a moment ago: unlike ours, the Python service does not tell which one it took by
 * itself.
 */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
