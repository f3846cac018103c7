import type { TransferProgress } from '#sdk/transfer';
import type { Report } from './report.js';

/** One JSON object for each line; docs/imageio-output.schema.json says what is in them. */
export class JsonReport implements Report {
  constructor(private readonly write: (line: string) => void) {}

  progress(progress: TransferProgress): void {
    this.write(JSON.stringify({ event: 'progress', ...wireProgress(progress) }));
  }

  note(words: string): void {
    process.stderr.write(`${words}\n`);
  }

  end(): void {
    // Each line is whole.
  }
}

export function wireProgress(progress: TransferProgress): Record<string, unknown> {
  const { secondsLeft } = progress;
  return {
    phase: progress.phase,
    size: progress.sizeBytes,
    data: progress.dataBytes,
    zero: progress.zeroBytes,
    resumed: progress.resumedBytes,
    sent: progress.sentBytes,
    verified: progress.verifiedBytes,
    bytes_per_second: progress.bytesPerSecond,
    seconds_left: secondsLeft === undefined ? null : Math.ceil(secondsLeft),
    retries: progress.retries,
  };
}
