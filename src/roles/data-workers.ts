import type { Config } from '../config/config.js';
import type { Reloadable } from '../config/reloadable.js';
import { poolParts } from '../images/buffers/pool-parts.js';
import { describeError, writeLogLines, type Logger } from '../log/logger.js';
import type { Metrics } from '../observability/metrics.js';
import { DataWorkers } from '../workers/data-workers.js';

/** The threads that speak TLS with the clients of a listener; undefined where there are none. */
export const DATA_WORKERS = Symbol('DATA_WORKERS');

/** A connection rarely uses more than one or two images. */
const grantsPerConnection = 2;

export interface DataWorkersParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Metrics | undefined;
  /** Of the listener whose clients they have. */
  readonly listener: string;
}

/** The threads, which the listener starts. */
export function dataWorkers(count: number, parts: DataWorkersParts): DataWorkers {
  const { config, logger, metrics, listener } = parts;
  const { limits } = config;
  return new DataWorkers({
    count,
    worker: {
      listener,
      handshakeSeconds: limits.handshakeTimeoutSeconds,
      lingerSeconds: limits.lingerSeconds,
      silenceSeconds: config.daemon.inactivityTimeoutSeconds,
      bufferPoolBytes: poolParts(limits, count).workerBytes,
      bufferBytes: limits.bufferBytes,
      logRecordBytes: limits.logRecordBytesMax,
      logsRequests: logger.isLevelEnabled('info'),
    },
    grantsMax: grantsPerConnection * limits.connectionsMax,
    writeLines: (lines) => {
      writeLogLines(logger, lines);
    },
    onDownload: ({ lengthBytes, status, ...times }) => {
      const transfer = metrics?.transfers.begin('read', listener);
      transfer?.located('file');
      transfer?.progressed(lengthBytes);
      transfer?.ended(times);
      metrics?.listeners.requestEnded({ listener, method: 'GET', route: '/images/:id', status });
    },
    onDeath: (error) => {
      logger.fatal(`The service ends: ${describeError(error)}`);
      process.exit(1);
    },
  });
}

/** Tells the threads whether to log requests. */
export function loggingReload(workers: DataWorkers, logger: Logger): Reloadable {
  return {
    what: 'the level of the log in data workers',
    reload: () => {
      workers.setLogging(logger.isLevelEnabled('info'));
    },
  };
}
