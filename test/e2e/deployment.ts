import { randomUUID } from 'node:crypto';
import type { Configuration } from '../support/configuration.js';
import { Engine } from '../support/engine.js';
import { Pki } from '../support/pki.js';
import { startDaemon, startProxy, type Service } from '../support/processes.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import type { TicketDocument } from '../support/vdsm.js';

export interface DeploymentOptions {
  readonly daemon?: Configuration;
  readonly proxy?: Configuration;
}

/** A daemon, a proxy in front of it, and the engine whose tickets the proxy believes; `await using` stops it all. */
export class Deployment implements AsyncDisposable {
  private constructor(
    readonly folder: TemporaryFolder,
    readonly engine: Engine,
    readonly daemon: Service,
    readonly proxy: Service,
  ) {}

  static async start(options: DeploymentOptions = {}): Promise<Deployment> {
    const folder = await TemporaryFolder.create();
    const started: Service[] = [];
    try {
      const pki = await Pki.create(folder.path);
      const engine = await pki.issueEngine();
      const daemon = await startDaemon({
        folder: folder.path,
        pki,
        ...(options.daemon === undefined ? {} : { configuration: options.daemon }),
      });
      started.push(daemon);
      const proxy = await startProxy({
        folder: folder.path,
        pki,
        engine,
        ...(options.proxy === undefined ? {} : { configuration: options.proxy }),
      });
      started.push(proxy);
      return new Deployment(folder, new Engine(engine), daemon, proxy);
    } catch (error) {
      await Promise.allSettled(started.map(({ program }) => program.kill()));
      await folder[Symbol.asyncDispose]();
      throw error;
    }
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
  signTicket(ticketId: string): string {
    return this.engine.signTransfer({ ticketId, imagedUri: this.daemon.url });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = await Promise.allSettled([this.proxy.stop(), this.daemon.stop()]);
    await this.folder[Symbol.asyncDispose]();
    for (const result of stopped) if (result.status === 'rejected') throw result.reason;
  }
}
