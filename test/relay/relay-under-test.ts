import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { systemClock } from '../../src/clock.js';
import { HttpApplication } from '../../src/http/http-application.js';
import { HttpListener } from '../../src/listeners/http-listener.js';
import type { Logger } from '../../src/logger.js';
import { DaemonAgents } from '../../src/relay/daemon-agents.js';
import { RelayAccess } from '../../src/relay/relay-access.js';
import { RelayModule } from '../../src/relay/relay.module.js';
import { RelayProxy } from '../../src/relay/relay.proxy.js';
import { RelayedImages } from '../../src/relay/relayed-images.js';
import { Credentials } from '../../src/sessions/credentials.js';
import { MemoryGrantStore } from '../../src/sessions/memory-grant.store.js';
import { MemorySessionStore } from '../../src/sessions/memory-session.store.js';
import { PlainTicketVerifier } from '../../src/sessions/signed-ticket.verifier.js';
import { MemoryTicketStore } from '../../src/tickets/memory-ticket.store.js';
import { OperationRunner } from '../../src/tickets/operation-runner.js';
import type { TicketDefinition } from '../../src/tickets/ticket-definition.js';
import { KiB } from '../../src/units.js';
import { parseAddress, type Address } from '../support/address.js';
import { ImagesClient, type ClientOptions } from '../support/client.js';
import type { Pki } from '../support/pki.js';
import { RawSocket } from '../support/raw-socket.js';
import { listenerLimits } from '../fixtures/listener-limits.js';

export interface RelayUnderTestOptions {
  readonly connectTimeoutSeconds?: number;
  readonly readTimeoutSeconds?: number;
  readonly operationTimeoutSeconds?: number;
  readonly inactivityTimeoutSeconds?: number;
  readonly idleSeconds?: number;
  /** Take http tickets and daemons, as with TLS off. */
  readonly allowHttp?: boolean;
  /** Serve clients without TLS, whose sockets can be reset and half-closed. */
  readonly plainText?: boolean;
  /** Authority that daemons are verified with; the test's own when absent. */
  readonly caPem?: string;
}

/** The proxy's listener, application and relay in this process, between real sockets. */
export class RelayUnderTest implements AsyncDisposable {
  readonly #clients: { close(): void }[] = [];

  private constructor(
    readonly address: Address,
    readonly tickets: MemoryTicketStore,
    readonly sessions: MemorySessionStore,
    private readonly grants: MemoryGrantStore,
    private readonly verifier: PlainTicketVerifier,
    private readonly closeAll: () => Promise<void>,
    /** The log, one JSON record each. */
    readonly logLines: readonly string[],
  ) {}

  static async start(pki: Pki, options: RelayUnderTestOptions = {}): Promise<RelayUnderTest> {
    const lines: string[] = [];
    const logger: Logger = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) });
    const limits = { sessionsMax: 100, sessionsPerTicketMax: 8, sweepIntervalSeconds: 0.1 };
    const rules = {
      allowedSkewSeconds: 0,
      allowHttp: options.allowHttp ?? false,
      signedTicketBytesMax: 16 * KiB,
    };
    const tickets = new MemoryTicketStore({ removeTimeoutSeconds: 5, ticketsMax: 100 }, systemClock);
    const sessions = new MemorySessionStore(limits, systemClock);
    const grants = new MemoryGrantStore(limits, systemClock);
    const verifier = new PlainTicketVerifier(rules, systemClock);
    const agents = new DaemonAgents({
      caPem: options.caPem ?? pki.caPem,
      idleSeconds: options.idleSeconds ?? 30,
      idlePerDaemonMax: 8,
    });
    const proxy = new RelayProxy(agents, {
      connectTimeoutSeconds: options.connectTimeoutSeconds ?? 10,
      readTimeoutSeconds: options.readTimeoutSeconds ?? 30,
      operationTimeoutSeconds: options.operationTimeoutSeconds ?? 600,
    });
    const access = new RelayAccess(new Credentials(verifier, sessions, grants), tickets, {
      inactivityTimeoutSeconds: options.inactivityTimeoutSeconds ?? 60,
      allowHttp: options.allowHttp ?? false,
    });
    const images = new RelayedImages(access, proxy, new OperationRunner(), logger);
    const application = await HttpApplication.create(
      {
        module: RelayModule.register(images),
        bodyBytesMax: 64 * KiB,
        requestHeadBytes: 16 * KiB,
        subResources: { images: ['/extents', '/checksum/algorithms', '/checksum'] },
        cors: { maxAgeSeconds: 86_400 },
      },
      logger,
    );
    await application.init();
    const host = await pki.issueHost(`proxy-${randomUUID()}`);
    const listenerOptions = {
      name: 'remote',
      handler: application.handle,
      allowedMethods: application.routes.methods,
      listen: { kind: 'tcp' as const, host: 'localhost', port: 0 },
      ...(options.plainText === true
        ? {}
        : { tls: { cert: host.certPem, key: host.keyPem, minVersion: 'TLSv1.2' as const } }),
      requireHostHeader: true,
      limits: listenerLimits,
    };
    const listener = new HttpListener(listenerOptions, logger);
    await listener.open();
    const close = async (): Promise<void> => {
      listener.close();
      agents.close();
      await application.close();
      await sessions.close();
      await grants.close();
    };
    const address = parseAddress(listener.address, pki.caPem);
    return new RelayUnderTest(address, tickets, sessions, grants, verifier, close, lines);
  }

  /** Where others that relay find it. */
  get origin(): string {
    if (this.address.kind !== 'tls') throw new Error('Only TLS has an origin that others believe');
    return `https://localhost:${this.address.port}`;
  }

  client(options: ClientOptions = {}): ImagesClient {
    const client = new ImagesClient(this.address, options);
    this.#clients.push(client);
    return client;
  }

  async connect(): Promise<RawSocket> {
    const socket = await RawSocket.connect(this.address);
    this.#clients.push(socket);
    return socket;
  }

  /** Adds a control ticket for an image of a daemon. @returns its id */
  async addTicket(origin: string, changes: Partial<TicketDefinition> = {}): Promise<string> {
    const id = changes.id ?? randomUUID();
    await this.tickets.add({
      id,
      size: 1n << 40n,
      ops: ['write'],
      timeoutSeconds: 300,
      inactivityTimeoutSeconds: 60,
      url: `${origin}/images/${encodeURIComponent(id)}`,
      transferId: 'transfer-1',
      sparse: false,
      dirty: false,
      ...changes,
    });
    return id;
  }

  /** What a client of 1.x shows: verified by `PlainTicketVerifier`, so it is the plain payload. */
  credential(origin: string, ticketId: string, lifetimeSeconds = 3600): string {
    const now = Math.floor(Date.now() / 1000);
    return JSON.stringify({
      nbf: now - 1,
      iat: now,
      exp: now + lifetimeSeconds,
      'imaged-uri': origin,
      'transfer-ticket': ticketId,
      'transfer-id': 'transfer-1',
    });
  }

  /** What `PUT /tickets/` does. */
  async storeGrant(credential: string): Promise<void> {
    await this.grants.put(this.verifier.verify(credential));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.closeAll();
  }
}
