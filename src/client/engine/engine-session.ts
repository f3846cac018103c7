import { errorMessage } from '../../base/error-details.js';
import { Log, type LogLevel } from '../log.js';
import { never } from '../never.js';
import type { TransferSettings } from '../run-transfer.js';
import { EngineApi } from './engine-api.js';
import { EngineConnection, type EngineAccess } from './engine-connection.js';
import { engineAccess, type EngineOptions } from './engine-options.js';
import { chooseSteps, type Steps } from './steps.js';

/** What every command has of options that asks an engine. */
export interface SessionOptions extends EngineOptions, TransferSettings {
  readonly logFile?: string | undefined;
  readonly logLevel: LogLevel;
}

/** An engine, as one user, while one command runs. */
export interface EngineSession {
  readonly access: EngineAccess;
  readonly api: EngineApi;
  readonly log: Log;
  readonly steps: Steps;
}

/** @param step what is done first */
export async function inSession<T>(
  options: SessionOptions,
  step: string,
  work: (session: EngineSession) => Promise<T>,
): Promise<T> {
  const access = await engineAccess(options);
  const { logFile, logLevel } = options;
  using log = logFile === undefined ? Log.toStandardError(logLevel) : Log.toFile(logFile, logLevel);
  if (access.insecure)
    log.warning('Certificates are not verified: whoever is in the middle can read and change all');
  const connection = new EngineConnection(access, (error, delaySeconds) => {
    log.warning(`The engine is asked again in ${delaySeconds.toFixed(2)} s: ${error.message}`);
  });
  const steps = chooseSteps(options);
  steps.begin(step);
  try {
    return await work({ access, api: new EngineApi(connection), log, steps });
  } catch (error: unknown) {
    steps.begin('command failed');
    // Without a file the program says it itself.
    if (!log.isShown) log.error(errorMessage(error));
    throw error;
  } finally {
    steps.end();
    await connection.close(never);
  }
}
