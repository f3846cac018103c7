import { randomUUID } from 'node:crypto';
import pino from 'pino';
import type { Config } from '../../src/config/config.js';
import type { Logger } from '../../src/log/logger.js';
import { DaemonAgents } from '../../src/daemons/daemon-agents.js';
import { SESSION_STORE, type SessionStore } from '../../src/sessions/stores/session.store.js';
import { GRANT_STORE, type GrantStore } from '../../src/sessions/stores/grant.store.js';
import { TICKET_VERIFIER, type TicketVerifier } from '../../src/sessions/signed-tickets/ticket.verifier.js';
import type { TicketDefinition } from '../../src/tickets/ticket-definition.js';
import { TICKET_STORE, type TicketStore } from '../../src/tickets/ticket.store.js';
import { parseAddress, type Address } from '../support/address.js';
import { ImagesClient, type ClientOptions } from '../support/client.js';
import type { Pki } from '../support/pki.js';
import { RawSocket } from '../support/raw-socket.js';
import { configWith, startRole, type RoleUnderTest } from '../support/role-under-test.js';

export interface RelayUnderTestOptions {
  readonly connectTimeoutSeconds?: number;
  readonly readTimeoutSeconds?: number;
  readonly operationTimeoutSeconds?: number;
  readonly inactivityTimeoutSeconds?: number;
  readonly idleSeconds?: number;
  /** Serve clients without TLS, whose sockets can be reset and half-closed. */
  readonly plainText?: boolean;
  /** Authority that daemons are verified with; the test's own when absent. */
  readonly caPem?: string;
}

/** A proxy in this process, between real sockets: the modules that ship. */
export class RelayUnderTest implements AsyncDisposable {
  readonly #clients: { close(): void }[] = [];
  readonly tickets: TicketStore;
  readonly sessions: SessionStore;

  private constructor(
    readonly address: Address,
    private readonly role: RoleUnderTest,
    /** The log, one JSON record each. */
    readonly logLines: readonly string[],
  ) {
    this.tickets = role.application.get<TicketStore>(TICKET_STORE);
    this.sessions = role.application.get<SessionStore>(SESSION_STORE);
  }

  static async start(pki: Pki, options: RelayUnderTestOptions = {}): Promise<RelayUnderTest> {
    const lines: string[] = [];
    const logger: Logger = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) });
    const agents = new DaemonAgents({
      caPem: options.caPem ?? pki.caPem,
      idleSeconds: options.idleSeconds ?? 30,
      idlePerDaemonMax: 8,
    });
    const config = await relayConfig(pki, options);
    const role = await startRole('proxy', config, logger, (module) =>
      module.overrideProvider(DaemonAgents).useValue(agents),
    );
    return new RelayUnderTest(parseAddress(role.addressOf('remote'), pki.caPem), role, lines);
  }

  get application(): RoleUnderTest['application'] {
    return this.role.application;
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
    const { application } = this.role;
    const verifier = application.get<TicketVerifier>(TICKET_VERIFIER);
    await application.get<GrantStore>(GRANT_STORE).put(verifier.verify(credential));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.role.stop();
  }
}

/** Short and small where a test waits for the end of something. */
async function relayConfig(pki: Pki, options: RelayUnderTestOptions): Promise<Config> {
  const host = await pki.issueHost(`proxy-${randomUUID()}`);
  return configWith('proxy', {
    remote: { host: 'localhost', port: 0 },
    local: { enable: false },
    control: { enable: false, removeTimeoutSeconds: 5 },
    metrics: { enable: false },
    tls: { enable: options.plainText !== true, keyFile: host.keyFile, certFile: host.certFile },
    daemon: { inactivityTimeoutSeconds: options.inactivityTimeoutSeconds ?? 60 },
    proxy: {
      // Credentials are the plain payloads of signed tickets.
      signedProxyTicket: false,
      allowedSkewSeconds: 0,
      imagedConnectionTimeoutSeconds: options.connectTimeoutSeconds ?? 10,
      imagedReadTimeoutSeconds: options.readTimeoutSeconds ?? 30,
      imagedOperationTimeoutSeconds: options.operationTimeoutSeconds ?? 600,
    },
    limits: { sessionsMax: 100, ticketsMax: 100, graceSeconds: 0 },
  });
}
