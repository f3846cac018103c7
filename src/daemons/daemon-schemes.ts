import type { TlsConfig } from '../config/sections/tls.js';

/** The schemes of images that other daemons have. Plain `http` only where this service has no TLS either. */
export function daemonSchemes({ enable }: Pick<TlsConfig, 'enable'>): readonly string[] {
  return enable ? ['https'] : ['https', 'http'];
}
