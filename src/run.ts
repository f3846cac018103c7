import 'reflect-metadata';
import type { Config } from './config/config.js';
import type { LoadedConfig } from './config/load-config.js';
import type { Role } from './config/role.js';
import { createDaemon } from './daemon/daemon.js';
import { watchFiles } from './listeners/file-watch.js';
import { dropPrivileges } from './listeners/privileges.js';
import type { Service } from './listeners/service.js';
import { notifyReady, notifyStopping } from './listeners/systemd.js';
import { createLogger, describeError, type Logger } from './logger.js';
import { createProxy } from './proxy/proxy.js';
import { returnStartMemory } from './start-memory.js';
import { version } from './version.js';

const roleFactories = { daemon: createDaemon, proxy: createProxy } satisfies Record<Role, unknown>;

export interface RunOptions {
  /** JSON files of tickets to install before the service is ready. */
  readonly ticketFiles: readonly string[];
  /** NOTIFY_SOCKET of systemd. */
  readonly notifySocket: string | undefined;
  /** Loads the configuration anew, at SIGHUP. */
  readonly reload: () => LoadedConfig;
}

/**
 * Starts a role and runs it until a signal stops it. The start is complete when every listener is bound: only then it becomes
 * unprivileged, tells systemd, and logs `Ready for requests`.
 */
export async function run(
  role: Role,
  { config, warnings }: LoadedConfig,
  { ticketFiles, notifySocket, reload }: RunOptions,
): Promise<void> {
  const logger = createLogger({ ...config.logging, recordBytesMax: config.limits.logRecordBytesMax });
  for (const warning of warnings) logger.warn(warning);
  try {
    const service = await roleFactories[role](config, ticketFiles, logger);
    await service.open();
    const { dropPrivileges: enable, userName, groupName, runDir, systemdEnable } = config.daemon;
    dropPrivileges({ enable, userName, groupName, runDir, controlSocketPath: service.controlSocketPath });
    stopOnSignals(service, systemdEnable ? notifySocket : undefined, logger);
    reloadWhenAsked(service, config, reload, logger);
    returnStartMemory();
    if (systemdEnable) notifyReady(notifySocket);
    logger.info({ role, version, listeners: service.addresses }, 'Ready for requests');
  } catch (error: unknown) {
    logger.fatal(`Cannot start: ${describeError(error)}`);
    process.exit(1);
  }
}

/** The first SIGTERM or SIGINT stops in order, a second one at once. */
function stopOnSignals(service: Service, notifySocket: string | undefined, logger: Logger): void {
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) process.exit(1);
    stopping = true;
    logger.info({ signal }, 'Stopping');
    notifyStopping(notifySocket);
    service.stop().then(
      () => {
        logger.info('Stopped');
        process.exit(0);
      },
      (error: unknown) => {
        logger.error(`Stopping failed: ${describeError(error)}`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/**
 * SIGHUP takes the log level of the configuration and the certificates of its files, and so does a renewal of one of these files: where
 * Kubernetes or an agent renews them, nobody sends signals. Everything else in the configuration needs a restart.
 */
function reloadWhenAsked(
  service: Service,
  { tls, backendHttp }: Config,
  load: () => LoadedConfig,
  logger: Logger,
): void {
  const reload = (): void => {
    let config: Config;
    try {
      ({ config } = load());
    } catch (error: unknown) {
      logger.error(`Cannot reload the configuration, nothing has changed: ${describeError(error)}`);
      return;
    }
    logger.level = config.logging.level;
    service.reload(config);
  };
  process.on('SIGHUP', reload);
  const ownFiles = tls.enable ? [tls.keyFile, tls.certFile] : [];
  watchFiles([...ownFiles, tls.caFile, backendHttp.caFile], tls.reloadIntervalSeconds, reload);
}
