import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { after, before, describe } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import { ticketIdOfImage } from '../../src/framework/ticket-path.js';
import type { Address } from '../support/address.js';
import { ImagesClient, imagePath } from '../support/client.js';
import type { Configuration } from '../support/configuration.js';
import { CorruptingRelay } from '../support/corrupting-relay.js';
import { Engine } from '../support/engine.js';
import { startProxy, type Service } from '../support/processes.js';
import { RawSocket } from '../support/raw-socket.js';
import type { TicketDocument, TicketInfo, Vdsm } from '../support/vdsm.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';
import { requestBytes } from './raw-answers.js';

/**
 * How a client's requests come to the daemon: at the proxy it shows a session, or the id of a
 * control ticket of the proxy's.
 */
export const wireRoutes = [
  'straight to the daemon',
  'through the proxy with a session',
  'through the proxy with a ticket',
] as const;

/** With the one of clients on the daemon's host, which has a listener of its own but the same connections. */
export const allWireRoutes = [...wireRoutes, 'over the local socket'] as const;

export type WireRoute = (typeof allWireRoutes)[number];

export interface WireOptions {
  /** Of daemon and proxy. */
  readonly configuration?: Configuration;
  /** Default `wireRoutes`. */
  readonly routes?: readonly WireRoute[];
  readonly concurrency?: boolean;
  /** A relay that can damage what passes stands right before the daemon. Not on the local socket. */
  readonly corrupting?: boolean;
}

/**
 * Defines the same tests for each way to the daemon: whatever a client does on the wire, what comes back
 * and what becomes of the image is the same through the proxy. One daemon and one proxy serve all of them.
 */
export function describeWire(name: string, options: WireOptions, cases: (wire: Wire) => void): void {
  const { configuration = {}, routes = wireRoutes, concurrency = false, corrupting = false } = options;
  describe(name, { concurrency }, () => {
    const services = new WireServices(configuration, corrupting);
    before(() => services.start());
    after(() => services.stop());
    for (const route of routes) {
      describe(route, () => {
        const wire = new Wire(route, services);
        after(() => {
          wire.close();
        });
        cases(wire);
      });
    }
  });
}

/** The processes behind the routes. */
class WireServices {
  #daemon: DaemonUnderTest | undefined;
  #proxy: Service | undefined;
  #engine: Engine | undefined;
  #relay: CorruptingRelay | undefined;

  constructor(
    private readonly configuration: Configuration,
    private readonly corrupting: boolean,
  ) {}

  get daemon(): DaemonUnderTest {
    return started(this.#daemon);
  }

  get proxy(): Service {
    return started(this.#proxy);
  }

  get engine(): Engine {
    return started(this.#engine);
  }

  get relay(): CorruptingRelay {
    return started(this.#relay);
  }

  /** Where clients and proxy find the daemon on the network. */
  get daemonAddress(): Address {
    return this.#relay?.address ?? this.daemon.daemon.address('remote');
  }

  get daemonUrl(): string {
    return this.#relay?.url ?? this.daemon.daemon.url;
  }

  async start(): Promise<void> {
    const { configuration } = this;
    this.#daemon = await DaemonUnderTest.start(configuration);
    const { pki } = this.#daemon;
    if (this.corrupting)
      this.#relay = await CorruptingRelay.start(
        await pki.issueHost('relay'),
        this.#daemon.daemon.address('remote'),
      );
    const identity = await pki.issueEngine();
    this.#engine = new Engine(identity);
    const folder = this.#daemon.folder.file('proxy');
    await mkdir(folder);
    this.#proxy = await startProxy({ folder, pki, engine: identity, configuration });
  }

  async stop(): Promise<void> {
    await this.#proxy?.program.kill();
    await this.#relay?.[Symbol.asyncDispose]();
    await this.#daemon?.[Symbol.asyncDispose]();
  }
}

/**
 * One way to the daemon, for what a client sends on it. Tickets and images are those of
 * the daemon, whatever the way.
 */
export class Wire {
  readonly #sessions = new Map<string, string>();
  readonly #open: { close(): void }[] = [];

  constructor(
    readonly route: WireRoute,
    private readonly services: WireServices,
  ) {}

  get daemon(): DaemonUnderTest {
    return this.services.daemon;
  }

  get isRelayed(): boolean {
    return this.route.startsWith('through the proxy');
  }

  /** The service that the client talks to. */
  get service(): Service {
    return this.isRelayed ? this.services.proxy : this.daemon.daemon;
  }

  get address(): Address {
    if (this.route === 'straight to the daemon') return this.services.daemonAddress;
    return this.service.address(this.route === 'over the local socket' ? 'local' : 'remote');
  }

  get vdsm(): Vdsm {
    return this.daemon.vdsm;
  }

  /** What stands before the daemon, where that was asked for. */
  get relay(): CorruptingRelay {
    return this.services.relay;
  }

  /** The headers with which a client may use the image at `path`. */
  readonly credentials = (path: string): Record<string, string> => {
    const session = this.#sessions.get(imagePath(ticketIdOfImage(path) ?? ''));
    return session === undefined ? {} : { 'Session-Id': session };
  };

  /** A client with keep-alive connections, closed at the end. */
  client(): ImagesClient {
    const client = new ImagesClient(this.address, { headers: this.credentials });
    this.#open.push(client);
    return client;
  }

  /** A connection of bytes, closed at the end. */
  async connect(overrides: ConnectionOptions = {}): Promise<RawSocket> {
    const socket = await RawSocket.connect(this.address, overrides);
    this.#open.push(socket);
    return socket;
  }

  /** A request on the wire, credentials included. */
  request(method: string, path: string, headers: readonly string[] = [], body = ''): string {
    const credentials = Object.entries(this.credentials(path)).map(([name, value]) => `${name}: ${value}`);
    return requestBytes(method, path, [...credentials, ...headers], body);
  }

  /** Sends `request` on a connection of its own and returns all that comes until the service closes it. */
  async exchangeBytes(request: string | Uint8Array): Promise<Buffer> {
    const socket = await this.connect();
    await socket.send(request);
    return socket.readUntilClose();
  }

  /**
   * Makes an image and a ticket for it, as `DaemonUnderTest.addImage` does, which a
   * client may use on this way.
   */
  async addImage(
    image: Uint8Array | number | undefined,
    ticket: Partial<TicketDocument> = {},
  ): Promise<ImageTicket> {
    const added = await this.daemon.addImage(image, ticket);
    await this.#admit(added.id, JSON.stringify(added.document));
    return added;
  }

  /** Adds another ticket for the image. @returns its path of the image */
  addTicketFor({ document }: ImageTicket): Promise<string> {
    return this.addTicket(JSON.stringify({ ...document, uuid: randomUUID() }));
  }

  /**
   * Adds a ticket that is JSON text, for what a JavaScript number cannot say.
   * @returns the path of its image
   */
  async addTicket(json: string): Promise<string> {
    const { uuid } = JSON.parse(json) as TicketDocument;
    await this.vdsm.addTicket(json);
    await this.#admit(uuid, json);
    return imagePath(uuid);
  }

  /** The path of an image that the proxy would relay for, but whose ticket the daemon does not have. */
  async addUnknownImage(): Promise<string> {
    const { id, path } = await this.addImage(undefined, { size: 2 ** 30 });
    await this.vdsm.removeTicket(id);
    return path;
  }

  contentOf(image: ImageTicket): Promise<Buffer> {
    return this.daemon.contentOf(image);
  }

  ticketState(image: ImageTicket, wanted: (info: TicketInfo) => boolean, what: string): Promise<TicketInfo> {
    return this.daemon.ticketState(image, wanted, what);
  }

  openFiles(file: string): Promise<number> {
    return this.daemon.openFiles(file);
  }

  close(): void {
    for (const open of this.#open) open.close();
  }

  async #admit(ticketId: string, json: string): Promise<void> {
    if (this.route === 'through the proxy with a session') {
      this.#sessions.set(imagePath(ticketId), await this.#openSession(ticketId));
    }
    if (this.route === 'through the proxy with a ticket') {
      const url = `"url":"${this.services.daemonUrl}${imagePath(ticketId)}"`;
      await this.services.proxy.vdsm.addTicket(json.replace(/"url":"[^"]*"/, url));
    }
  }

  async #openSession(ticketId: string): Promise<string> {
    const ticket = { ticketId, imagedUri: this.services.daemonUrl, transferId: randomUUID() };
    const headers = { Authorization: this.services.engine.signTransfer(ticket) };
    const client = new ImagesClient(this.address, { headers });
    const answer = await client.request('POST', '/sessions/');
    client.close();
    const { 'session-id': sessionId } = answer.headers;
    if (typeof sessionId !== 'string') throw new Error(`No session: ${answer.status} ${answer.text}`);
    return sessionId;
  }
}

function started<T>(service: T | undefined): T {
  if (service === undefined) throw new Error('Started by the hook before the tests');
  return service;
}
