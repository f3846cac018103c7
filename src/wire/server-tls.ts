import type { SecureContextOptions, SecureVersion, TlsOptions } from 'node:tls';
import { forwardSecrecy } from '../base/forward-secrecy.js';

/** What a TLS server shows and accepts. */
export interface ServerTls {
  /** PEM. */
  readonly key: Buffer | string;
  /** PEM, the server's own certificate first. */
  readonly cert: Buffer | string;
  readonly minVersion: SecureVersion;
}

/** What OpenSSL makes of it, also when a server takes another certificate. */
export function secureContextOf({ key, cert, minVersion }: ServerTls): SecureContextOptions {
  return { key, cert, ...forwardSecrecy(minVersion) };
}

/** What a server is made with that speaks TLS with clients. @param handshakeSeconds how long that may take */
export function tlsServerOptions(tls: ServerTls, handshakeSeconds: number): TlsOptions {
  return {
    ...secureContextOf(tls),
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: handshakeSeconds * 1000,
  };
}
