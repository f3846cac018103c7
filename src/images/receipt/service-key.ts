import type { ServerTls } from '../../wire/server-tls.js';

/** By what the service shows its clients who it is. */
export interface ServiceKey {
  /** What new connections see, which may become another when it is renewed; undefined without TLS. */
  readonly tls: Pick<ServerTls, 'key' | 'cert'> | undefined;
}

export const SERVICE_KEY = Symbol('SERVICE_KEY');
