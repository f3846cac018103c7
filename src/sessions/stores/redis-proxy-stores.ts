import { rootCertificates } from 'node:tls';
import type { Clock } from '../../base/clock.js';
import type { Config } from '../../config/config.js';
import type { Logger } from '../../log/logger.js';
import type { HealthCheck } from '../../observability/health.js';
import { parseCertificates, readPemFile } from '../../base/pem-files.js';
import { RedisConnection } from './redis-connection.js';
import { RedisGrantStore } from './redis-grant.store.js';
import { RedisSessionStore } from './redis-session.store.js';
import { type ProxyStores, sweepIntervalSeconds } from './proxy-stores.js';

// A store that answers at all does so in milliseconds, and clients wait meanwhile.
const commandTimeoutSeconds = 2;

/**
 * Stores in the Redis server of `[proxy] session_store`, shared by all proxies that name it. One that
 * is away does not stop the start.
 * @throws Error naming option and file when that of the authorities cannot be read, or be used
 */
export async function openRedisProxyStores(
  config: Config,
  clock: Clock,
  logger: Logger,
): Promise<ProxyStores> {
  const { limits, proxy } = config;
  const connection = new RedisConnection(
    {
      url: proxy.sessionStore,
      authoritiesPem: redisAuthorities(config),
      commandTimeoutSeconds,
    },
    logger,
  );
  const { sessionsMax, sessionsPerTicketMax } = limits;
  const options = { sessionsMax, sessionsPerTicketMax, sweepIntervalSeconds, allowHttp: !config.tls.enable };
  const sessionStore = new RedisSessionStore(connection, options, clock);
  const grantStore = new RedisGrantStore(connection, options, clock);
  await connection.open();
  const check: HealthCheck = {
    name: 'session store',
    check: () => {
      if (!connection.isAvailable) throw new Error('Redis is away');
    },
  };
  return { sessionStore, grantStore, resources: [sessionStore, grantStore, connection], checks: [check] };
}

/** The server may have a certificate of anybody's, or one of the engine's authority. */
function redisAuthorities({ tls }: Config): string[] {
  if (tls.caFile === '') return [...rootCertificates];
  const file = { option: '[tls] ca_file', path: tls.caFile };
  const pem = readPemFile(file);
  parseCertificates(file, pem);
  return [...rootCertificates, pem];
}
