import {
  startTransfer,
  type ReadableDisk,
  type TransferOptions,
  type TransferProgress,
  type WritableDisk,
} from '#sdk/transfer';
import { chooseReport } from './report/choose-report.js';
import { progressLine } from './report/plain-report.js';
import type { ProgressForm } from './report/report.js';

/** What every command that moves a disk has of options. */
export interface TransferSettings {
  readonly maxWorkers: number;
  readonly bufferSize: number;
  readonly limitRate?: number | undefined;
  readonly retries: number;
  readonly sparse: boolean;
  readonly verify: boolean;
  readonly output: 'text' | 'json';
  readonly quiet: boolean;
  readonly progress: ProgressForm;
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
): Promise<TransferProgress> {
  const transfer = startTransfer(source, target, {
    workers: settings.maxWorkers,
    blockBytes: settings.bufferSize,
    retriesMax: settings.retries,
    bytesPerSecond: settings.limitRate,
    sparse: settings.sparse,
    verify: settings.verify,
    ...more,
  });
  const report = chooseReport(settings);
  const stop = (): void => {
    transfer.stop();
    process.stderr.write('\nStopping; again to end at once\n');
  };
  const show = (): void => {
    process.stderr.write(`${progressLine(transfer.progress)}\n`);
  };
  // A second one meets nobody who listens, and ends the process.
  process.once('SIGINT', stop).once('SIGTERM', stop).on('SIGUSR1', show);
  try {
    for await (const progress of transfer) report.progress(progress);
  } finally {
    report.end();
    process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGUSR1', show);
  }
  return transfer.result;
}
