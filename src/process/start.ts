import { loadConfig } from '../config/load-config.js';
import type { Role } from '../config/role.js';
import type { InheritedSocket } from '../wire/inherited-sockets.js';
import { bootId } from './boot-id.js';
import { run } from './run.js';

export interface StartOptions {
  /** The configuration is read in its `conf.d`. */
  readonly confDir: string;
  /** JSON files of tickets to install before the service is ready. */
  readonly ticketFiles: readonly string[];
  /** Those that the service manager has made. */
  readonly sockets: readonly InheritedSocket[];
}

/**
 * Starts a role with the configuration of a folder, in a process image that is as the role needs it.
 * @throws ConfigError
 */
export async function start(role: Role, { confDir, ticketFiles, sockets }: StartOptions): Promise<void> {
  const load = () => loadConfig({ role, confDir, environment: process.env });
  const loaded = load();
  // The thread pool reads it at its first use, which is still ahead. An operator's own setting wins.
  process.env['UV_THREADPOOL_SIZE'] ??= String(loaded.config.limits.fileThreads);
  await run(role, loaded, {
    ticketFiles,
    notifySocket: process.env['NOTIFY_SOCKET'],
    sockets,
    bootId: bootId(process.env),
    reload: load,
  });
}
