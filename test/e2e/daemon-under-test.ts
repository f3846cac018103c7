import { randomUUID } from 'node:crypto';
import { readdir, readFile, readlink, truncate, writeFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import type { Address } from '../support/address.js';
import { ImagesClient, imagePath } from '../support/client.js';
import type { Configuration } from '../support/configuration.js';
import { eventually } from '../support/deadline.js';
import { localNames, Pki } from '../support/pki.js';
import { startDaemon, type ListenerName, type Service } from '../support/processes.js';
import { RawSocket } from '../support/raw-socket.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import type { TicketDocument, TicketInfo, Vdsm } from '../support/vdsm.js';

/** A ticket that the daemon has, and the file that its url names. */
export interface ImageTicket {
  readonly id: string;
  readonly file: string;
  /** `/images/{id}` */
  readonly path: string;
  readonly document: TicketDocument;
}

/** One daemon for the tests of a file, with a folder for its images. */
export class DaemonUnderTest implements AsyncDisposable {
  private readonly clients: ImagesClient[] = [];
  private readonly sockets: RawSocket[] = [];

  private constructor(
    readonly folder: TemporaryFolder,
    readonly pki: Pki,
    private readonly configuration: Configuration,
    public daemon: Service,
  ) {}

  /**
   * @param authority of its certificate, where another daemon is to believe it
   * @param names in its certificate, where it is reached by others than those of this machine
   */
  static async start(
    configuration: Configuration = {},
    authority?: Pki,
    names: readonly string[] = localNames,
  ): Promise<DaemonUnderTest> {
    const folder = await TemporaryFolder.create();
    try {
      const pki = authority ?? (await Pki.create(folder.file('pki')));
      const identity = await pki.issueHost('daemon', { names });
      const daemon = await startDaemon({ folder: folder.path, pki, identity, configuration });
      return new DaemonUnderTest(folder, pki, configuration, daemon);
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the daemon again, which ended before, with the same configuration. */
  async restart(): Promise<void> {
    const { folder, pki, configuration } = this;
    this.daemon = await startDaemon({ folder: folder.path, pki, configuration });
  }

  get vdsm(): Vdsm {
    return this.daemon.vdsm;
  }

  /** A client with keep-alive connections, closed at the end. */
  client(listener: ListenerName = 'remote'): ImagesClient {
    const client = new ImagesClient(this.daemon.address(listener));
    this.clients.push(client);
    return client;
  }

  /** A connection of bytes, closed at the end. */
  async connect(listener: ListenerName = 'remote', overrides: ConnectionOptions = {}): Promise<RawSocket> {
    const socket = await RawSocket.connect(this.daemon.address(listener), overrides);
    this.sockets.push(socket);
    return socket;
  }

  /** Sends `request` on a connection of its own and returns all that comes until the daemon closes it. */
  async exchangeBytes(request: string | Uint8Array, listener: ListenerName = 'remote'): Promise<Buffer> {
    const socket = await this.connect(listener);
    await socket.send(request);
    return socket.readUntilClose();
  }

  /**
   * Makes an image and a ticket for it.
   * @param image its bytes, or its size for one that is all hole, or undefined for a file that does not exist
   */
  async addImage(
    image: Uint8Array | number | undefined,
    ticket: Partial<TicketDocument> = {},
  ): Promise<ImageTicket> {
    const id = ticket.uuid ?? randomUUID();
    const file = this.folder.file(`${randomUUID()}.raw`);
    if (image !== undefined) await writeFile(file, typeof image === 'number' ? '' : image);
    if (typeof image === 'number') await truncate(file, image);
    const imageBytes = typeof image === 'number' ? image : (image?.length ?? 0);
    const document: TicketDocument = {
      uuid: id,
      size: imageBytes,
      ops: ['write'],
      timeout: 300,
      url: `file://${file}`,
      ...ticket,
    };
    await this.vdsm.addTicket(document);
    return { id, file, path: imagePath(id), document };
  }

  contentOf({ file }: ImageTicket): Promise<Buffer> {
    return readFile(file);
  }

  /** Resolves with the ticket's state once it is as `wanted` says. */
  async ticketState(
    { id }: ImageTicket,
    wanted: (info: TicketInfo) => boolean,
    what: string,
  ): Promise<TicketInfo> {
    return eventually(async () => {
      const info = await this.vdsm.getTicket(id);
      return wanted(info) ? info : undefined;
    }, what);
  }

  /** How many file descriptors the daemon has open on `file`. */
  async openFiles(file: string): Promise<number> {
    const folder = `/proc/${this.daemon.program.pid}/fd`;
    const targets = await Promise.all(
      (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')),
    );
    return targets.filter((target) => target === file).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.close();
    for (const socket of this.sockets) socket.close();
    if (!this.daemon.program.hasExited) await this.daemon.program.kill();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** The remote listener's address as TCP, for clients that speak something else than TLS to it. */
export function withoutTls(address: Address): Address {
  if (address.kind !== 'tls') throw new Error('Not a TLS listener');
  return { kind: 'tcp', port: address.port };
}
