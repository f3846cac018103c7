import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Config } from '../config/config.js';
import { forwardSecrecy } from '../base/forward-secrecy.js';
import { parseCertificates, readPemFile } from '../base/pem-files.js';
import { SocketReceiver } from '../node-internals/socket-receiver.js';

/** What certificates of daemons are verified with. */
export interface DaemonAuthorities {
  /** Undefined: those of the system. */
  readonly caPem: string | undefined;
  /** Where they come from, for the log: option and file. */
  readonly source?: string;
}

export interface DaemonAgentsOptions extends DaemonAuthorities {
  /**
   * How long an unused connection to a daemon is kept. Shorter than daemons keep theirs, so
   * that they seldom close it first.
   */
  readonly idleSeconds?: number;
  /** Unused connections kept for each daemon. */
  readonly idlePerDaemonMax?: number;
}

/** Connections to one daemon that nobody else uses. */
export interface OwnConnections {
  readonly agent: HttpAgent;
  /** Closes all of them. */
  close(): void;
}

/**
 * The connections to daemons of other hosts, kept for later requests by scheme, host and port. A daemon is
 * believed only with a certificate of ours for its name, over TLS 1.2 or newer.
 */
export class DaemonAgents {
  readonly #common;
  readonly #http: HttpAgent;
  #secureContext: SecureContext;
  #https: HttpsAgent;
  #source: string;
  readonly #own = new Set<HttpAgent>();
  /** Agents of earlier authorities, whose requests are still under way. */
  #retired: readonly HttpsAgent[] = [];

  /** @throws Error when `caPem` cannot be parsed */
  constructor({ caPem, source = '', idleSeconds = 30, idlePerDaemonMax = 32 }: DaemonAgentsOptions) {
    // The newest unused connection is taken first, so that the others grow old and go.
    this.#common = {
      keepAlive: true,
      scheduling: 'lifo',
      maxFreeSockets: idlePerDaemonMax,
      timeout: idleSeconds * 1000,
      noDelay: true,
    } as const;
    this.#secureContext = secureContextOf(caPem);
    this.#https = this.#httpsAgent();
    this.#source = source;
    this.#http = new PlainDaemonAgent(this.#common);
  }

  /**
   * Believes daemons by other authorities from now on. Requests that are under way go on; connections that
   * nobody uses are closed, as they were believed by the old ones.
   * @throws Error when `caPem` cannot be parsed: then nothing changes
   */
  trust({ caPem, source = '' }: DaemonAuthorities): void {
    const old = this.#https;
    this.#secureContext = secureContextOf(caPem);
    this.#https = this.#httpsAgent();
    this.#source = source;
    this.#retired = [...this.#retired, old].filter(({ sockets }) => Object.keys(sockets).length > 0);
    for (const socket of Object.values(old.freeSockets).flat()) socket?.destroy();
    // What is in use is closed as soon as it is not.
    old.maxFreeSockets = 0;
  }

  /** Where the authorities come from that daemons are believed by. */
  get authoritiesSource(): string {
    return this.#source;
  }

  /** @param protocol of the daemon's URL, `https:` or `http:` */
  of(protocol: string): HttpAgent {
    return protocol === 'https:' ? this.#https : this.#http;
  }

  /**
   * Connections for one use alone. None of them is older than that, so none was closed by the daemon while
   * nobody looked, and the daemon sees them go when the use ends.
   * @param protocol of the daemon's URL, `https:` or `http:`
   */
  own(protocol: string): OwnConnections {
    const agent = protocol === 'https:' ? this.#httpsAgent() : new PlainDaemonAgent(this.#common);
    this.#own.add(agent);
    return {
      agent,
      close: () => {
        this.#own.delete(agent);
        agent.destroy();
      },
    };
  }

  /** Closes all connections, also those in use. */
  close(): void {
    for (const agent of [this.#https, this.#http, ...this.#retired, ...this.#own]) agent.destroy();
  }

  #httpsAgent(): HttpsAgent {
    return new DaemonAgent({
      ...this.#common,
      rejectUnauthorized: true,
      ALPNProtocols: ['http/1.1'],
      secureContext: this.#secureContext,
    });
  }
}

/** Made once for all connections: parsing the authorities takes milliseconds. */
function secureContextOf(caPem: string | undefined): SecureContext {
  return createSecureContext({
    ...forwardSecrecy('TLSv1.2'),
    ...(caPem === undefined ? {} : { ca: caPem }),
  });
}

/**
 * Node's agents tell connections apart by a score of TLS options as well, which here are the same for
 * all, and do so thrice a request.
 */
class DaemonAgent extends HttpsAgent {
  override getName({
    host = '',
    port = '',
  }: { readonly host?: string; readonly port?: number | string } = {}): string {
    return `${host}:${port}`;
  }

  override createConnection(
    ...[options, callback]: Parameters<HttpsAgent['createConnection']>
  ): ReturnType<HttpsAgent['createConnection']> {
    return SocketReceiver.connect(options, (receiving) => super.createConnection(receiving, callback));
  }
}

/** Of daemons without TLS. */
class PlainDaemonAgent extends HttpAgent {
  override createConnection(
    ...[options, callback]: Parameters<HttpAgent['createConnection']>
  ): ReturnType<HttpAgent['createConnection']> {
    return SocketReceiver.connect(options, (receiving) => super.createConnection(receiving, callback));
  }
}

/**
 * What daemons' certificates are verified with. A secure context takes text without any certificate for no
 * authority at all, and then believes nobody, so what is in the file is looked at here.
 * @throws Error naming option and file when it cannot be read, or be used
 */
export function daemonAuthorities({
  backendHttp,
  tls,
}: Pick<Config, 'backendHttp' | 'tls'>): DaemonAuthorities {
  if (!tls.enable || backendHttp.caFile === '') {
    return { caPem: undefined, source: 'the authorities of the system, as no ca_file is set' };
  }
  // An empty option of [backend_http] has the value of the other.
  const section = backendHttp.caFile === tls.caFile ? 'tls' : 'backend_http';
  const file = { option: `[${section}] ca_file`, path: backendHttp.caFile };
  const caPem = readPemFile(file);
  parseCertificates(file, caPem);
  return { caPem, source: `${file.option} ${file.path}` };
}

/** Takes the authorities of a new configuration. */
export function authoritiesReload(agents: DaemonAgents): { what: string; reload(config: Config): void } {
  return {
    what: 'the authorities that daemons are verified with',
    reload: (config) => {
      agents.trust(daemonAuthorities(config));
    },
  };
}
