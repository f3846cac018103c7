import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { Deployment } from '../e2e/deployment.js';
import { writeRandomImage, writeSparseImage } from '../support/images.js';
import { MiB } from '../../src/base/units.js';
import { ScriptedServer } from '../nbd/scripted-server.js';
import type { Address } from '../support/address.js';
import type { ListenerName, Service } from '../support/processes.js';
import type { Port, Target } from './attack.js';

/** So few that the attackers can reach the limit, and enough for those that have a ticket. */
const connectionsMax = 700;
const attackedImageBytes = 64 * MiB;
const sparseImageBytes = 8 * 1024 * 1024 * MiB;
const configuration = {
  metrics: { enable: true, port: 0 },
  limits: { connections: connectionsMax },
} as const;

/** Daemon and proxy with monitoring on, and what the attackers need: images, storage that hangs, tickets. */
export class HostileWorld implements AsyncDisposable {
  private constructor(
    readonly deployment: Deployment,
    readonly target: Target,
    private readonly storage: readonly AsyncDisposable[],
  ) {}

  static async start(): Promise<HostileWorld> {
    const deployment = await Deployment.start({ daemon: configuration, proxy: configuration });
    const { folder, daemon, proxy } = deployment;
    const image = folder.file('attacked');
    await writeRandomImage(image, attackedImageBytes);
    const sparse = folder.file('sparse');
    await writeSparseImage(sparse, sparseImageBytes, []);
    const hungPath = folder.file('hung.sock');
    const hung = await ScriptedServer.listen(hungPath, {
      sizeBytes: attackedImageBytes,
      reply: () => undefined,
    });
    const silent = await SilentServer.listen(folder.file('silent.sock'));
    const imageTicket = await addLongTicket(deployment, 'write', image, attackedImageBytes);
    const target: Target = {
      daemon: portOf(daemon, 'remote'),
      proxy: portOf(proxy, 'remote'),
      daemonMetrics: portOf(daemon, 'metrics'),
      proxyMetrics: portOf(proxy, 'metrics'),
      controlSocket: controlSocketOf(daemon),
      imageTicket,
      sparseTicket: await addLongTicket(deployment, 'read', sparse, sparseImageBytes),
      hungNbdUrl: hung.url,
      silentNbdUrl: silent.url,
      signedTicket: deployment.signTicket(imageTicket),
    };
    return new HostileWorld(deployment, target, [hung, silent]);
  }

  get services(): readonly Service[] {
    return [this.deployment.daemon, this.deployment.proxy];
  }

  /** Adds a ticket for an image of the world's folder that lasts for the whole run. */
  addTicket(operation: 'read' | 'write', file: string, sizeBytes: number): Promise<string> {
    return addLongTicket(this.deployment, operation, file, sizeBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.storage) await server[Symbol.asyncDispose]();
    await this.deployment[Symbol.asyncDispose]();
  }
}

const ticketSeconds = 3600;

function addLongTicket(
  deployment: Deployment,
  operation: 'read' | 'write',
  file: string,
  sizeBytes: number,
): Promise<string> {
  return deployment.addTicket(operation, file, sizeBytes, { timeout: ticketSeconds });
}

function portOf(service: Service, listener: ListenerName): Port {
  const address: Address = service.address(listener);
  if (address.kind === 'unix') throw new Error(`The ${listener} listener is a unix socket`);
  return { port: address.port, tls: address.kind === 'tls' };
}

function controlSocketOf(service: Service): string {
  const address = service.address('control');
  if (address.kind !== 'unix') throw new Error('The control listener is no unix socket');
  return address.path;
}

/** Storage that accepts connections and never says a word. */
class SilentServer implements AsyncDisposable {
  private constructor(
    private readonly server: Server,
    private readonly path: string,
  ) {}

  static async listen(path: string): Promise<SilentServer> {
    const server = createServer((socket) => {
      // The daemon hangs up in the middle of its greeting.
      socket.on('error', () => socket.destroy());
      socket.resume();
    });
    server.listen(path);
    await once(server, 'listening');
    return new SilentServer(server, path);
  }

  get url(): string {
    return `nbd:unix:${this.path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    await once(this.server, 'close');
  }
}
