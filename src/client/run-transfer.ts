import {
  startTransfer,
  StoppedError,
  type ReadableDisk,
  type TransferOptions,
  type TransferProgress,
  type WritableDisk,
} from '#sdk/transfer';
import type { Log } from './log.js';
import { bytesText } from './report/amounts.js';
import { chooseReport } from './report/choose-report.js';
import { PlainReport, progressLine } from './report/plain-report.js';
import type { ProgressForm, Report } from './report/report.js';
import { onStopSignal } from './stop-signals.js';
import { threadSha256 } from './thread-hasher.js';

/** What every command that moves a disk has of options. */
export interface TransferSettings {
  readonly maxWorkers: number;
  readonly bufferSize: number;
  readonly limitRate?: number | undefined;
  readonly retries: number;
  readonly checkpoint: number;
  readonly sparse: boolean;
  readonly verify: boolean;
  readonly preflight: boolean;
  readonly output: 'text' | 'json';
  readonly quiet: boolean;
  readonly progress: ProgressForm;
  readonly log?: Log | undefined;
}

/**
 * Moves a disk and shows how far it is. The first interrupt stops it, so that it can go on later; the second
 * ends the program. `SIGUSR1` prints where it is.
 */
export async function runTransfer(
  source: ReadableDisk,
  target: WritableDisk,
  settings: TransferSettings,
  more: Partial<TransferOptions> = {},
  report: Report = chooseReport(settings),
): Promise<TransferProgress> {
  const { log } = settings;
  log?.info(`${bytesText(source.sizeBytes)} to move, ${settings.maxWorkers} workers`);
  const transfer = startTransfer(source, target, {
    onRetry: (error, delaySeconds) => {
      // The line shall not end up behind the bar.
      if (log?.isShown === true) report.end();
      log?.warning(`again in ${delaySeconds.toFixed(2)} s: ${error.message}`);
    },
    workers: settings.maxWorkers,
    blockBytes: settings.bufferSize,
    retriesMax: settings.retries,
    checkpointSeconds: settings.checkpoint,
    bytesPerSecond: settings.limitRate,
    sparse: settings.sparse,
    verify: settings.verify,
    hasher: threadSha256,
    preflight: settings.preflight,
    onFinding: ({ severity, message, advice }) => {
      if (severity !== 'info' && !settings.quiet)
        process.stderr.write(`imageio: ${severity}: ${message}. ${advice}\n`);
    },
    ...more,
  });
  const logged = new PlainReport((line) => {
    log?.info(line);
  });
  const reports = [report, logged];
  const note = (words: string): void => {
    for (const each of reports) each.note(words);
  };
  const stop = (): void => {
    transfer.stop();
    note('Stopping; again to end at once');
  };
  const show = (): void => {
    note(progressLine(transfer.progress));
  };
  const stopListening = onStopSignal(stop);
  process.on('SIGUSR1', show);
  try {
    for await (const progress of transfer) for (const each of reports) each.progress(progress);
  } finally {
    for (const each of reports) each.end();
    stopListening();
    process.off('SIGUSR1', show);
  }
  return transfer.result.catch((error: unknown) => {
    if (error instanceof StoppedError && more.state !== undefined)
      throw new StoppedError(`${error.message}; the same command goes on from here`);
    throw error;
  });
}
