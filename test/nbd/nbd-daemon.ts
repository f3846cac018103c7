import { randomUUID } from 'node:crypto';

import { DaemonUnderTest } from '../e2e/daemon-under-test.js';
import type { ImagesClient } from '../support/client.js';
import type { Configuration } from '../support/configuration.js';
import { eventually } from '../support/deadline.js';
import type { Service } from '../support/processes.js';
import type { TicketDocument, TicketInfo, Vdsm } from '../support/vdsm.js';
import { Workspace } from './servers.js';

/**
 * How soon everything that does not wait for a stuck server has to be answered: one second
 * (docs/protocol.md, "The process lives"), and what a machine that is busy with other tests adds to it.
 */
export const promptMs = 10_000;

/** One daemon for the tests of a file, and the NBD servers that its tickets point to. */
export class NbdDaemon implements AsyncDisposable {
  private constructor(
    readonly fixture: DaemonUnderTest,
    readonly workspace: Workspace,
  ) {}

  static async start(configuration: Configuration = {}): Promise<NbdDaemon> {
    return new NbdDaemon(await DaemonUnderTest.start(configuration), await Workspace.create());
  }

  get service(): Service {
    return this.fixture.daemon;
  }

  get vdsm(): Vdsm {
    return this.fixture.vdsm;
  }

  /** A client of the remote (TLS) or local (unix socket) listener, closed at the end. */
  client(listener: 'remote' | 'local' = 'remote'): ImagesClient {
    return this.fixture.client(listener);
  }

  /** @returns the id of a new ticket that may read and write, unless `ticket` says otherwise */
  async addTicket(
    url: string,
    sizeBytes: number,
    ticket: Partial<Omit<TicketDocument, 'url' | 'size'>> = {},
  ): Promise<string> {
    const uuid = randomUUID();
    await this.vdsm.addTicket({ uuid, size: sizeBytes, ops: ['write'], timeout: 300, url, ...ticket });
    return uuid;
  }

  /** @returns the status of a DELETE of the ticket */
  async removeTicket(ticketId: string): Promise<number> {
    return (await this.vdsm.request('DELETE', `/tickets/${ticketId}`)).status;
  }

  /** Resolves with the ticket's state once it is as `wanted` says. */
  async ticketState(
    ticketId: string,
    wanted: (info: TicketInfo) => boolean,
    what: string,
  ): Promise<TicketInfo> {
    return eventually(async () => {
      const info = await this.vdsm.getTicket(ticketId);
      return wanted(info) ? info : undefined;
    }, what);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fixture[Symbol.asyncDispose]();
    await this.workspace[Symbol.asyncDispose]();
  }
}
