import type { TransferProgress } from '#sdk/transfer';
import { chooseReport } from '../report/choose-report.js';
import { coveredBytes } from '../report/bar-report.js';
import type { ProgressForm, Report } from '../report/report.js';

/** Shows what is being done for a disk: first its steps, and within the longest how far its data is. */
export interface Steps {
  /** @param description e.g. `creating disk` */
  begin(description: string): void;
  /** What shows the data that is moved from now on. */
  report(): Report;
  /** Nothing is shown any more. */
  end(): void;
}

export interface StepsOptions {
  readonly output: 'text' | 'json';
  readonly quiet: boolean;
  readonly progress: ProgressForm;
}

export function chooseSteps(options: StepsOptions): Steps {
  const { output, quiet, progress } = options;
  if (output === 'json' && !quiet && progress !== 'none')
    return new JsonSteps((line) => process.stdout.write(`${line}\n`));
  const isShown = output === 'text' && !quiet && progress !== 'none';
  return {
    begin(description) {
      if (isShown) process.stderr.write(`${description}\n`);
    },
    report: () => chooseReport(options),
    end: () => undefined,
  };
}

/** Sizes of the engine are multiples of that. */
const sectorBytes = 512;

/** One JSON object for each line, as programs read them that know ovirt-img. */
class JsonSteps implements Steps {
  readonly #startedAt = performance.now();
  #description = '';
  #transferredBytes = 0;
  #sizeBytes: number | undefined;

  constructor(private readonly write: (line: string) => void) {}

  begin(description: string): void {
    this.#description = description;
    this.#tell();
  }

  report(): Report {
    return {
      progress: (progress) => {
        this.#progress(progress);
      },
      note: (words) => process.stderr.write(`${words}\n`),
      end: () => undefined,
    };
  }

  /** The last line comes twice, as from ovirt-img. */
  end(): void {
    this.#tell();
  }

  #progress(progress: TransferProgress): void {
    const transferredBytes = inSectors(coveredBytes(progress));
    const isNew = this.#sizeBytes === undefined || transferredBytes !== this.#transferredBytes;
    this.#sizeBytes = inSectors(progress.sizeBytes);
    this.#transferredBytes = transferredBytes;
    if (progress.phase === 'verifying' && this.#description !== verifying) this.begin(verifying);
    else if (isNew) this.#tell();
  }

  #tell(): void {
    this.write(
      JSON.stringify({
        transferred: this.#transferredBytes,
        elapsed: (performance.now() - this.#startedAt) / 1000,
        description: this.#description,
        size: this.#sizeBytes,
      }),
    );
  }
}

const verifying = 'verifying image';

function inSectors(bytes: number): number {
  return Math.ceil(bytes / sectorBytes) * sectorBytes;
}
