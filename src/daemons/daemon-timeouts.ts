import type { ProxyConfig } from '../config/sections/proxy.js';

/** How long another daemon is waited for. */
export interface DaemonTimeouts {
  /** How long a daemon may take until its connection is there, TLS handshake included. */
  readonly connectTimeoutSeconds: number;
  /** How long it may be silent while it is waited for: before 100, before and in the middle of its answer. */
  readonly readTimeoutSeconds: number;
  /** The same after the last byte of a request for work that nobody but the daemon can end. */
  readonly operationTimeoutSeconds: number;
}

/** As they are configured. */
export function daemonTimeouts(proxy: ProxyConfig): DaemonTimeouts {
  return {
    connectTimeoutSeconds: proxy.imagedConnectionTimeoutSeconds,
    readTimeoutSeconds: proxy.imagedReadTimeoutSeconds,
    operationTimeoutSeconds: proxy.imagedOperationTimeoutSeconds,
  };
}
