import type { TlsConfig } from '../config/sections/tls.js';

/** The schemes of images that other daemons have. Without TLS nothing is secret anyway. */
export function relayedSchemes({ enable }: Pick<TlsConfig, 'enable'>): readonly string[] {
  return enable ? ['https'] : ['https', 'http'];
}
