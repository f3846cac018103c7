export type TransferPhase =
  'preparing' | 'transferring' | 'paused' | 'flushing' | 'verifying' | 'done' | 'stopped' | 'failed';

/** How far a transfer is. The bytes add up to the size of the disk when it is done. */
export interface TransferProgress {
  readonly phase: TransferPhase;
  readonly sizeBytes: number;
  /** Of blocks with data. */
  readonly dataBytes: number;
  /** Of blocks of zeroes: told to the target, or there already. */
  readonly zeroBytes: number;
  /** There from a run before. */
  readonly resumedBytes: number;
  /** Written as data: less than what blocks with data have where these have zeroes, or were there in part. */
  readonly sentBytes: number;
  /** Compared with the target. */
  readonly verifiedBytes: number;
  /** Over the last seconds, of data. */
  readonly bytesPerSecond: number;
  /** At this rate; undefined while it cannot be told. */
  readonly secondsLeft: number | undefined;
  /** What has failed in a row and is tried again. */
  readonly retries: number;
}

/** Short enough to follow a change, long enough not to jump. */
const rateSeconds = 5;

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

/** Counts what a transfer moves. */
export class ProgressMeter {
  phase: TransferPhase = 'preparing';
  dataBytes = 0;
  zeroBytes = 0;
  resumedBytes = 0;
  sentBytes = 0;
  verifiedBytes = 0;
  retries = 0;
  /** Of the last seconds, one for each look. */
  readonly #samples: Sample[] = [];

  constructor(readonly sizeBytes: number) {}

  /** Something was lost, so all of the disk is gone through again. */
  restart(): void {
    this.dataBytes = 0;
    this.zeroBytes = 0;
    this.resumedBytes = 0;
  }

  now(): TransferProgress {
    const { phase, sizeBytes, dataBytes, zeroBytes, resumedBytes, sentBytes, verifiedBytes, retries } = this;
    const bytesPerSecond = this.#rate();
    const leftBytes = sizeBytes - dataBytes - zeroBytes - resumedBytes;
    const secondsLeft = bytesPerSecond > 0 ? leftBytes / bytesPerSecond : undefined;
    return {
      phase,
      sizeBytes,
      dataBytes,
      zeroBytes,
      resumedBytes,
      sentBytes,
      verifiedBytes,
      bytesPerSecond,
      secondsLeft,
      retries,
    };
  }

  #rate(): number {
    const now = { at: performance.now(), bytes: this.sentBytes };
    this.#samples.push(now);
    while (this.#samples.length > 2 && now.at - (this.#samples[1] as Sample).at > rateSeconds * 1000)
      this.#samples.shift();
    const first = this.#samples[0] as Sample;
    return now.at === first.at ? 0 : Math.round(((now.bytes - first.bytes) * 1000) / (now.at - first.at));
  }
}
