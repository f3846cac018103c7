import { ImageioError } from '#sdk';
import { TransferError, VerificationError } from '#sdk/transfer';
import { errorMessage } from '../base/error-details.js';
import { version } from '../base/version.js';
import { exitCodeOf } from './exit-code.js';
import { Log } from './log.js';
import { printResult, type CommandResult, type OutputOptions } from './print-result.js';

export interface CommandOptions extends OutputOptions {
  /** A file that gets a line for each thing that happens. */
  readonly logFile?: string | undefined;
}

/**
 * Runs a command, and says how it ended: on standard output, in the log, and by the exit code of the program.
 * @param work returns nothing when it has printed all there is to say
 */
export async function runCommand(
  name: string,
  options: CommandOptions,
  work: (log: Log | undefined) => Promise<CommandResult | undefined>,
): Promise<void> {
  try {
    using log = options.logFile === undefined ? undefined : Log.toFile(options.logFile, 'info');
    log?.info(`imageio ${version}: ${name}`);
    await logEnd(log, async () => {
      const result = await work(log);
      if (result !== undefined) printResult(result, options);
      return result?.text ?? '';
    });
  } catch (error: unknown) {
    process.exitCode = exitCodeOf(error);
    process.stderr.write(`imageio: ${errorMessage(error)}\n`);
    if (options.output === 'json') process.stdout.write(`${JSON.stringify(wireFailure(error))}\n`);
  }
}

async function logEnd(log: Log | undefined, work: () => Promise<string>): Promise<void> {
  try {
    const outcome = await work();
    log?.info(`done: ${outcome}`);
  } catch (error: unknown) {
    log?.error(`failed: ${errorMessage(error)}`);
    throw error;
  }
}

/** A failure as docs/imageio-output.schema.json has it. */
function wireFailure(error: unknown): Record<string, unknown> {
  const differing = error instanceof VerificationError ? error.differing : [];
  return {
    event: 'failure',
    exit_code: exitCodeOf(error),
    message: errorMessage(error),
    status: statusOf(error) ?? null,
    differing: differing.map(({ offsetBytes, lengthBytes }) => ({ start: offsetBytes, length: lengthBytes })),
  };
}

/** What the service answered with, when it is what failed. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof ImageioError) return error.status;
  return error instanceof TransferError ? error.details.status : undefined;
}
