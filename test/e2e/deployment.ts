import { randomUUID } from 'node:crypto';
import type { Configuration } from '../support/configuration.js';
import { Engine } from '../support/engine.js';
import { Pki } from '../support/pki.js';
import { Service, type Role } from '../support/processes.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import type { TicketDocument } from '../support/vdsm.js';

export interface DeploymentOptions {
  readonly daemon?: Configuration;
  readonly proxy?: Configuration;
}

/**
 * A daemon, a proxy in front of it, and the engine whose tickets the proxy believes;
 * `await using` stops it all.
 */
export class Deployment implements AsyncDisposable {
  private constructor(
    readonly folder: TemporaryFolder,
    readonly pki: Pki,
    readonly engine: Engine,
    private readonly startRole: (role: Role) => Promise<Service>,
    public daemon: Service,
    public proxy: Service,
  ) {}

  static async start(options: DeploymentOptions = {}): Promise<Deployment> {
    const folder = await TemporaryFolder.create();
    const started: Service[] = [];
    try {
      const pki = await Pki.create(folder.path);
      const engine = await pki.issueEngine();
      const startRole = async (role: Role): Promise<Service> => {
        const service = await Service.start(role, {
          folder: folder.path,
          pki,
          ...(role === 'proxy' ? { engine } : {}),
          configuration: options[role] ?? {},
        });
        started.push(service);
        return service;
      };
      const daemon = await startRole('daemon');
      const proxy = await startRole('proxy');
      return new Deployment(folder, pki, new Engine(engine), startRole, daemon, proxy);
    } catch (error) {
      await Promise.allSettled(started.map(({ program }) => program.kill()));
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Starts the daemon or the proxy again, which ended before, with the same configuration.
   * What was in its memory is gone.
   */
  async restart(role: Role): Promise<void> {
    this[role] = await this.startRole(role);
  }

  /** Adds a ticket for an image file of the folder, as vdsm does when the engine asks for it. */
  async addTicket(
    operation: 'read' | 'write',
    file: string,
    sizeBytes: number,
    more: Partial<TicketDocument> = {},
  ): Promise<string> {
    const uuid = randomUUID();
    const url = `file://${file}`;
    await this.daemon.vdsm.addTicket({ uuid, size: sizeBytes, ops: [operation], timeout: 300, url, ...more });
    return uuid;
  }

  /** The signed ticket that the engine hands to the client of a transfer. */
  signTicket(ticketId: string, transferId?: string): string {
    const named = transferId === undefined ? {} : { transferId };
    return this.engine.signTransfer({ ticketId, imagedUri: this.daemon.url, ...named });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = await Promise.allSettled([this.proxy.stop(), this.daemon.stop()]);
    await this.folder[Symbol.asyncDispose]();
    for (const result of stopped) if (result.status === 'rejected') throw result.reason;
  }
}
