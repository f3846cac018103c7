import { SingleBar } from 'cli-progress';
import type { TransferProgress } from '#sdk/transfer';
import { bytesText, timeText } from './amounts.js';
import type { Report } from './report.js';

/** A bar on a terminal. */
export class BarReport implements Report {
  readonly #bar: SingleBar;
  #started = false;

  constructor(private readonly stream: NodeJS.WriteStream) {
    this.#bar = new SingleBar({
      stream,
      format: '{percentage}% {bar} {done} of {size}, {rate}/s, {left}',
      hideCursor: true,
      etaAsynchronousUpdate: false,
      barsize: 24,
    });
  }

  progress(progress: TransferProgress): void {
    const { phase, sizeBytes, bytesPerSecond, secondsLeft, verifiedBytes } = progress;
    const doneBytes = phase === 'verifying' ? verifiedBytes : coveredBytes(progress);
    const fields = {
      done: bytesText(doneBytes),
      size: bytesText(sizeBytes),
      rate: bytesText(bytesPerSecond),
      left: phase === 'transferring' && secondsLeft !== undefined ? `${timeText(secondsLeft)} left` : phase,
    };
    if (this.#started) {
      this.#bar.update(doneBytes, fields);
    } else {
      this.#started = true;
      this.#bar.start(sizeBytes, doneBytes, fields);
    }
  }

  note(words: string): void {
    // The bar stays above; a new one is begun below.
    this.end();
    this.stream.write(`${words}\n`);
  }

  end(): void {
    if (!this.#started) return;
    this.#started = false;
    this.#bar.stop();
  }
}

/** What is dealt with of the disk, whether it had to be moved or not. */
export function coveredBytes({ dataBytes, zeroBytes, resumedBytes }: TransferProgress): number {
  return dataBytes + zeroBytes + resumedBytes;
}
