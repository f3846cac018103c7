import type { CopyJob } from '#sdk';
import { StatusLine, type ProgressOutput } from './status-line.js';
import { formatBytes } from './ticket-table.js';

/** Shows how far a copy is: in one line that changes on a terminal, and elsewhere a line for each tenth. */
export class CopyProgress {
  readonly #line: StatusLine;
  #shownTenths = 0;

  constructor(output: ProgressOutput) {
    this.#line = new StatusLine(output);
  }

  show(job: CopyJob): void {
    const tenths = Math.floor(partDone(job) * 10);
    this.#line.show(progressLine(job), tenths > this.#shownTenths);
    this.#shownTenths = Math.max(this.#shownTenths, tenths);
  }

  /** Leaves what was shown last behind. */
  end(job: CopyJob): void {
    this.show(job);
    this.#line.end();
  }
}

/** `42 % of 3 GiB, 350 MiB/s`. What is verified is read once more, so that it counts twice. */
export function progressLine(job: CopyJob): string {
  const percent = String(Math.floor(partDone(job) * 100)).padStart(3);
  return `${percent} % of ${formatBytes(job.total)}, ${formatBytes(job.bytes_per_second)}/s`;
}

/** `copied 1.5 GiB, zeroed 2 GiB, skipped 0 B`: what became of the bytes of the source. */
export function resultLine({ result = {} }: CopyJob): string {
  return (
    `copied ${formatBytes(bytesOf(result, 'copied_bytes'))}, ` +
    `zeroed ${formatBytes(bytesOf(result, 'zeroed_bytes'))}, ` +
    `skipped ${formatBytes(bytesOf(result, 'skipped_bytes'))}`
  );
}

function partDone({ state, done, total }: CopyJob): number {
  if (total === 0) return state === 'done' ? 1 : 0;
  return Math.min(1, done / total);
}

function bytesOf(result: Readonly<Record<string, unknown>>, name: string): number {
  const { [name]: bytes } = result;
  return typeof bytes === 'number' ? bytes : 0;
}
