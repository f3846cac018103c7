import { isIP, connect as connectTcp, type NetConnectOpts, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import type { Endpoint } from './transport.js';

export interface NodeEndpointOptions extends Endpoint {
  /** Takes any certificate: whoever is in the middle can read and change everything. */
  readonly insecure?: boolean;
}

/** Where a service is, as sockets of Node are connected to it. */
export class NodeEndpoint {
  readonly isSecure: boolean;
  /** For the Host header. */
  readonly authority: string;
  /** As `node:net` and `node:http` take it. */
  readonly place: { readonly socketPath: string } | { readonly host: string; readonly port: number };
  readonly rejectUnauthorized: boolean;
  /** The authorities are parsed once. */
  #context: SecureContext | undefined;

  constructor(private readonly options: NodeEndpointOptions) {
    const { baseUrl, socketPath, insecure = false } = options;
    const { protocol, host, hostname, port } = new URL(baseUrl);
    this.isSecure = protocol === 'https:';
    this.authority = host;
    this.rejectUnauthorized = !insecure;
    const portNumber = port === '' ? (this.isSecure ? 443 : 80) : Number(port);
    this.place = socketPath === undefined ? { host: bare(hostname), port: portNumber } : { socketPath };
  }

  get secureContext(): SecureContext {
    const { ca } = this.options;
    return (this.#context ??= createSecureContext(ca === undefined ? {} : { ca }));
  }

  /** @param onread where what arrives is received */
  connect(onread: OnReadOpts): Socket {
    const { place, rejectUnauthorized } = this;
    const to = 'socketPath' in place ? { path: place.socketPath } : place;
    const options = { ...to, noDelay: true, onread } as NetConnectOpts;
    if (!this.isSecure) return connectTcp(options);
    const name = 'host' in place && isIP(place.host) === 0 ? { servername: place.host } : {};
    const tls = {
      secureContext: this.secureContext,
      rejectUnauthorized,
      ALPNProtocols: ['http/1.1'],
      ...name,
    };
    return connectTls({ ...options, ...tls });
  }
}

/** As a socket takes it: an IPv6 address without its brackets. */
function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
