import type { TransferPhase, TransferProgress } from '#sdk/transfer';
import { bytesText, timeText } from './amounts.js';
import { coveredBytes } from './bar-report.js';
import type { Report } from './report.js';

/** Often enough to see that something happens, seldom enough for a log. */
const lineMilliseconds = 10_000;

/** A line now and then, for logs and for whoever has no terminal. */
export class PlainReport implements Report {
  #shownAt = performance.now();
  #phase: TransferPhase = 'preparing';

  constructor(private readonly write: (line: string) => void) {}

  progress(progress: TransferProgress): void {
    const isDue = performance.now() - this.#shownAt >= lineMilliseconds;
    const isNew = progress.phase !== this.#phase && progress.phase !== 'transferring';
    if (!isDue && !isNew) return;
    this.#shownAt = performance.now();
    this.#phase = progress.phase;
    this.write(progressLine(progress));
  }

  note(words: string): void {
    this.write(words);
  }

  end(): void {
    // Each line is whole.
  }
}

export function progressLine(progress: TransferProgress): string {
  const { phase, sizeBytes, bytesPerSecond, secondsLeft, retries } = progress;
  const percentage = sizeBytes === 0 ? 100 : Math.floor((coveredBytes(progress) / sizeBytes) * 100);
  const left = phase === 'transferring' && secondsLeft !== undefined ? `, ${timeText(secondsLeft)} left` : '';
  const again = retries === 0 ? '' : `, ${retries} retries`;
  return (
    `${phase}: ${percentage}%, ${bytesText(coveredBytes(progress))} of ${bytesText(sizeBytes)}, ` +
    `${bytesText(bytesPerSecond)}/s${left}${again}`
  );
}
