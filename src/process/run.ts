import 'reflect-metadata';
import type { INestApplicationContext } from '@nestjs/common';
import { optionsThatNeedRestart } from '../config/changed-options.js';
import type { Config } from '../config/config.js';
import type { LoadedConfig } from '../config/load-config.js';
import type { Role } from '../config/role.js';
import { FileWatch, type Watched } from './file-watch.js';
import { dropPrivileges } from './privileges.js';
import { Service } from '../roles/service.js';
import { notifyReady, notifyStopping } from './systemd.js';
import { errorMessage } from '../base/error-details.js';
import { ConfigError } from '../config/config-error.js';
import { createLogger, describeError, type Logger } from '../log/logger.js';
import { LogWriter } from '../log/log-writer.js';
import { returnStartMemory } from '../node-internals/start-memory.js';
import { checkTricks } from '../node-internals/tricks.js';
import { expectRequests, keepTickets } from '../roles/kept-tickets.js';
import { userIdOf } from '../native/accounts.js';
import { createRole } from '../roles/role.js';
import { version } from '../base/version.js';
import { InheritedSockets, type InheritedSocket } from '../wire/inherited-sockets.js';

/** What was waiting for the service is answered first. */
const startMemoryDelayMs = 250;

export interface RunOptions {
  /** JSON files of tickets to install before the service is ready. */
  readonly ticketFiles: readonly string[];
  /** NOTIFY_SOCKET of systemd. */
  readonly notifySocket: string | undefined;
  /** Those that the service manager has made; others are bound here. */
  readonly sockets: readonly InheritedSocket[];
  /** Of this boot of the host, see `bootId`. */
  readonly bootId: string | undefined;
  /** Loads the configuration anew, at SIGHUP. */
  readonly reload: () => LoadedConfig;
}

/**
 * Starts a role and runs it until a signal stops it. The start is complete when every listener is bound: only
 * then it becomes unprivileged, tells systemd, and logs `Ready for requests`.
 */
export async function run(
  role: Role,
  loaded: LoadedConfig,
  { ticketFiles, notifySocket, sockets, bootId, reload }: RunOptions,
): Promise<void> {
  const { config, warnings } = loaded;
  const { level, format } = config.logging;
  const writer = openLog(config.logging.file);
  const logger = createLogger({ level, format, recordBytesMax: config.limits.logRecordBytesMax }, writer);
  for (const warning of warnings) logger.warn(warning);
  for (const fallback of await checkTricks()) logger.warn(fallback);
  try {
    const inherited = new InheritedSockets(sockets);
    const trust = { bootId, owners: journalOwners(config.daemon) };
    const application = await createRole(role, { config, ticketFiles, logger, trust, inherited });
    for (const address of inherited.closeRest()) {
      logger.warn(`The socket ${address} was passed, but no listener is configured for it`);
    }
    const service = application.get(Service);
    expectRequests(application);
    const started = Promise.withResolvers<undefined>();
    const notifying = config.daemon.systemdEnable ? notifySocket : undefined;
    stopOnSignals(application, { started: started.promise, notifySocket: notifying, logger });
    await service.open();
    const { dropPrivileges: enable, userName, groupName, runDir } = config.daemon;
    const ownedFiles = [service.controlSocketPath ?? '', config.logging.file].filter((path) => path !== '');
    dropPrivileges({ enable, userName, groupName, runDir, ownedFiles });
    await keepTickets(application, config);
    reloadWhenAsked(service, loaded, reload, { logger, writer });
    notifyReady(notifying);
    logger.info({ role, version, listeners: service.addresses }, 'Ready for requests');
    // It stops all else for some ten milliseconds, which nobody has to wait for who waits for the start.
    setTimeout(returnStartMemory, startMemoryDelayMs).unref();
    started.resolve(undefined);
  } catch (error: unknown) {
    logger.fatal(`Cannot start: ${describeError(error)}`);
    process.exit(1);
  }
}

/** @throws ConfigError, as nothing could be logged */
function openLog(file: string): LogWriter {
  try {
    return new LogWriter(file);
  } catch (error: unknown) {
    throw new ConfigError([
      { section: 'logging', option: 'file', reason: `cannot open it: ${errorMessage(error)}` },
    ]);
  }
}

/** Users as whom this service may have written what it finds: the one that it is, and the one it becomes. */
function journalOwners({ dropPrivileges: isDropping, userName }: Config['daemon']): readonly number[] {
  const own = process.geteuid?.() ?? 0;
  const later = own === 0 && isDropping ? userIdOf(userName) : undefined;
  return later === undefined ? [own] : [own, later];
}

interface StopOptions {
  /** Requests may be answered before, but nothing is stopped that has not wholly started. */
  readonly started: Promise<undefined>;
  readonly notifySocket: string | undefined;
  readonly logger: Logger;
}

/** The first SIGTERM or SIGINT stops in order, a second one at once. */
function stopOnSignals(
  application: INestApplicationContext,
  { started, notifySocket, logger }: StopOptions,
): void {
  const stopAll = async (signal: string): Promise<void> => {
    await started;
    logger.info({ signal }, 'Stopping');
    notifyStopping(notifySocket);
    await application.get(Service).stop();
    await application.close();
  };
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) process.exit(1);
    stopping = true;
    stopAll(signal).then(
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
 * Loads the configuration again at SIGHUP, and also when a TLS file was renewed, because Kubernetes and
 * other agents that renew them send no signal. Options that may change while the service runs take effect.
 * The log names all others that have changed, because they need a restart.
 */
function reloadWhenAsked(
  service: Service,
  started: LoadedConfig,
  load: () => LoadedConfig,
  { logger, writer }: { readonly logger: Logger; readonly writer: LogWriter },
): void {
  const told = new Set(started.warnings);
  const reload = (): void => {
    let loaded: LoadedConfig;
    try {
      loaded = load();
    } catch (error: unknown) {
      logger.error(`Cannot reload the configuration, nothing has changed: ${describeError(error)}`);
      return;
    }
    const { config, warnings } = loaded;
    logger.level = config.logging.level;
    for (const warning of warnings) if (!told.has(warning)) logger.warn(warning);
    for (const warning of warnings) told.add(warning);
    service.reload(config);
    watch.watch(filesOfTls(config));
    const waiting = optionsThatNeedRestart(started.config, config);
    if (waiting.length > 0) logger.warn(`Changed, but not taken before a restart: ${waiting.join(', ')}`);
  };
  const watch = new FileWatch(reload);
  watch.watch(filesOfTls(started.config));
  process.on('SIGHUP', () => {
    try {
      writer.reopen();
    } catch (error: unknown) {
      logger.error(`Cannot open [logging] file anew, the old one stays: ${describeError(error)}`);
    }
    reload();
  });
}

function filesOfTls({ tls, backendHttp }: Config): Watched {
  const ownFiles = tls.enable ? [tls.keyFile, tls.certFile] : [];
  return {
    paths: [...ownFiles, tls.caFile, backendHttp.caFile],
    intervalSeconds: tls.reloadIntervalSeconds,
  };
}
