import type { Clock } from '../../base/clock.js';
import type { Config } from '../../config/config.js';
import type { Logger } from '../../log/logger.js';
import { memoryProxyStores, type ProxyStores } from './proxy-stores.js';

/**
 * The stores that `[proxy] session_store` names. A Redis server that is away does not stop the start.
 * @throws Error naming the option when the file of an authority cannot be read
 */
export async function openProxyStores(config: Config, clock: Clock, logger: Logger): Promise<ProxyStores> {
  if (config.proxy.sessionStore === 'memory') return memoryProxyStores(config, clock);
  // Loaded only here: the client takes 5 MiB.
  const { openRedisProxyStores } = await import('./redis-proxy-stores.js');
  return openRedisProxyStores(config, clock, logger);
}
