import type { Config } from '../config/config.js';
import type { Role } from '../config/role.js';

/** How many data workers the configuration asks for. Without TLS there is nothing for them to do. */
export function tlsThreadCount({ daemon, proxy, tls }: Config, role: Role): number {
  if (!tls.enable) return 0;
  return role === 'daemon' ? daemon.workers : proxy.workers;
}
