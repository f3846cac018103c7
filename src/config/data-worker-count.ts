import type { Config } from './config.js';
import type { Role } from './role.js';

/** How many threads the configuration asks for. Without TLS there is nothing for them to do. */
export function dataWorkerCount({ daemon, proxy, tls }: Config, role: Role): number {
  return tls.enable ? { daemon, proxy }[role].workers : 0;
}
