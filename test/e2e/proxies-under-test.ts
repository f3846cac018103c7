import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { ImagesClient, type ClientOptions } from '../support/client.js';
import type { Configuration } from '../support/configuration.js';
import { Engine, type TransferTicket } from '../support/engine.js';
import { Pki, type Identity } from '../support/pki.js';
import { startDaemon, startProxy, type Service } from '../support/processes.js';
import { RawSocket } from '../support/raw-socket.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import type { TicketDocument } from '../support/vdsm.js';

/** An image on the daemon, and its ticket there. */
export interface DaemonImage {
  readonly ticketId: string;
  readonly file: string;
}

/** A daemon, an engine, and as many proxies as a test wants in front of it. */
export class ProxiesUnderTest implements AsyncDisposable {
  readonly #closing: (() => unknown)[] = [];

  private constructor(
    readonly folder: TemporaryFolder,
    readonly pki: Pki,
    readonly daemon: Service,
    private readonly engine: Engine,
    private readonly engineIdentity: Identity,
    private readonly proxyIdentity: Identity,
  ) {
    this.#closing.push(() => daemon.program.kill());
  }

  /** @param configuration of the daemon */
  static async start(configuration: Configuration = {}): Promise<ProxiesUnderTest> {
    const folder = await TemporaryFolder.create();
    try {
      const pki = await Pki.create(folder.file('pki'));
      const engineIdentity = await pki.issueEngine();
      const proxyIdentity = await pki.issueHost('proxy');
      const daemon = await startDaemon({ folder: folder.path, pki, configuration });
      return new ProxiesUnderTest(
        folder,
        pki,
        daemon,
        new Engine(engineIdentity),
        engineIdentity,
        proxyIdentity,
      );
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  async startProxy(configuration: Configuration = {}): Promise<Service> {
    const folder = this.folder.file(randomUUID().slice(0, 8));
    await mkdir(folder);
    const proxy = await startProxy({
      folder,
      pki: this.pki,
      identity: this.proxyIdentity,
      engine: this.engineIdentity,
      configuration,
    });
    this.#closing.push(() => proxy.program.kill());
    return proxy;
  }

  /** Makes an image of `content` and a ticket for it on the daemon. */
  async addImage(content: Uint8Array, ticket: Partial<TicketDocument> = {}): Promise<DaemonImage> {
    const ticketId = randomUUID();
    const file = this.folder.file(`${ticketId}.raw`);
    await writeFile(file, content);
    await this.daemon.vdsm.addTicket({
      uuid: ticketId,
      size: content.length,
      ops: ['write'],
      timeout: 300,
      url: `file://${file}`,
      ...ticket,
    });
    return { ticketId, file };
  }

  /** What the engine gives the client of an image. */
  sign({ ticketId }: DaemonImage, ticket: Partial<TransferTicket> = {}): string {
    return this.engine.signTransfer({ ticketId, imagedUri: this.daemon.url, ...ticket });
  }

  /** A client at a proxy, closed at the end. */
  client(proxy: Service, options: ClientOptions = {}): ImagesClient {
    const client = new ImagesClient(proxy.address('remote'), options);
    this.#closing.push(() => {
      client.close();
    });
    return client;
  }

  /** @returns the id of a new session for the image */
  async openSession(
    proxy: Service,
    image: DaemonImage,
    ticket: Partial<TransferTicket> = {},
  ): Promise<string> {
    const headers = { Authorization: this.sign(image, ticket) };
    const answer = await this.client(proxy).request('POST', '/sessions/', { headers });
    const { 'session-id': sessionId } = answer.headers;
    if (answer.status !== 200 || typeof sessionId !== 'string') {
      throw new Error(`No session: ${answer.status} ${answer.text}`);
    }
    return sessionId;
  }

  /** A connection of bytes to a proxy, closed at the end. */
  async connect(proxy: Service): Promise<RawSocket> {
    const socket = await RawSocket.connect(proxy.address('remote'));
    this.#closing.push(() => {
      socket.close();
    });
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closing.reverse()) await close();
    await this.folder[Symbol.asyncDispose]();
  }
}
