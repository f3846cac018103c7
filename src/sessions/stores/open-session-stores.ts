import type { Clock } from '../../base/clock.js';
import type { Config } from '../../config/config.js';
import type { Logger } from '../../log/logger.js';
import { memorySessionStores, type SessionStores } from './session-stores.js';

/**
 * The stores that `[proxy] session_store` names. A Redis server that is away does not stop the start.
 * @throws Error naming the option when the file of an authority cannot be read
 */
export async function openSessionStores(
  config: Config,
  clock: Clock,
  logger: Logger,
): Promise<SessionStores> {
  if (config.proxy.sessionStore === 'memory') return memorySessionStores(config, clock);
  // Loaded only here: the client takes 5 MiB.
  const { openRedisSessionStores } = await import('./redis-session-stores.js');
  return openRedisSessionStores(config, clock, logger);
}
