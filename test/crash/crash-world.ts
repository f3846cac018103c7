import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { Engine } from '../support/engine.js';
import { freePort } from '../support/free-port.js';
import { Workspace } from '../nbd/servers.js';
import { Pki } from '../support/pki.js';
import { Service, type Role, type StartOptions } from '../support/processes.js';
import { CountingRelay } from './counting-relay.js';

/** The services that a client moves images by. All but storage, which each transfer has its own of. */
export class CrashWorld implements AsyncDisposable {
  private constructor(
    readonly workspace: Workspace,
    readonly caFile: string,
    readonly relay: CountingRelay,
    private readonly engine: Engine,
    private readonly options: Readonly<Record<Role, StartOptions>>,
    private readonly services: Record<Role, Service>,
  ) {}

  static async start(keepsTickets: boolean): Promise<CrashWorld> {
    const workspace = await Workspace.create();
    try {
      const pki = await Pki.create(workspace.path('pki'));
      const engine = await pki.issueEngine();
      // A run_dir is of one service.
      const [daemonFolder, proxyFolder] = [workspace.path('daemon'), workspace.path('proxy')];
      for (const folder of [daemonFolder, proxyFolder]) await mkdir(folder);
      const common = { pki, identity: await pki.issueHost('service') };
      const options = {
        daemon: {
          ...common,
          folder: daemonFolder,
          configuration: {
            daemon: { keep_tickets: keepsTickets ? 'restart' : 'never' },
            limits: { grace_sec: 1 },
          },
        },
        // Clients know one port of it.
        proxy: {
          ...common,
          folder: proxyFolder,
          engine,
          configuration: { remote: { port: await freePort() }, limits: { grace_sec: 1 } },
        },
      };
      const services = {
        daemon: await Service.start('daemon', options.daemon),
        proxy: await Service.start('proxy', options.proxy),
      };
      const relay = await CountingRelay.start(common.identity, () => {
        const address = services.daemon.address('remote');
        if (address.kind !== 'tls') throw new Error('The daemon has no TLS');
        return address;
      });
      return new CrashWorld(workspace, pki.caFile, relay, new Engine(engine), options, services);
    } catch (error) {
      await workspace[Symbol.asyncDispose]();
      throw error;
    }
  }

  get proxyUrl(): string {
    return this.services.proxy.url;
  }

  async kill(role: Role, signal: NodeJS.Signals): Promise<void> {
    await this.services[role].program.stop(signal);
  }

  async startAgain(role: Role): Promise<void> {
    this.services[role] = await Service.start(role, this.options[role]);
  }

  /** Has the daemon know this ticket, whatever it knew of it before. */
  async addTicket(id: string, operation: 'read' | 'write', url: string, size: number): Promise<void> {
    await this.services.daemon.vdsm.addTicket({ uuid: id, size, ops: [operation], timeout: 300, url });
  }

  async removeTicket(id: string): Promise<void> {
    await this.services.daemon.vdsm.removeTicket(id);
  }

  /** @returns a file with what the engine gives to the client of a transfer */
  async signedTicket(ticketId: string): Promise<string> {
    const path = this.workspace.path(`${randomUUID()}.ticket`);
    await writeFile(path, this.engine.signTransfer({ ticketId, imagedUri: this.relay.url }));
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(Object.values(this.services).map(({ program }) => program.stop('SIGKILL')));
    await this.relay[Symbol.asyncDispose]();
    await this.workspace[Symbol.asyncDispose]();
  }
}
