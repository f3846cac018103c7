import { timestamp } from '../../log/timestamp.js';
import { boundedRecord } from '../../log/log-record.js';
import type { DownloadReport, WorkerEvent, WorkerStart } from '../messages.js';

/** As long as the log gathers its lines. */
const gatheredMilliseconds = 20;
/** Then what was gathered is told at once, so that memory holds no more of it. */
const gatheredMax = 256;

/** What the log says of a request. */
export type RequestRecord = Readonly<Record<string, string | number | boolean | undefined>>;

/** Tells the main thread what became of downloads, several at a time: it writes the log and counts. */
export class Reports {
  #lines = '';
  #downloads: DownloadReport[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #lineBytesMax: number;
  logsRequests: boolean;

  constructor(
    { logsRequests, logRecordBytes }: Pick<WorkerStart, 'logsRequests' | 'logRecordBytes'>,
    private readonly tell: (event: WorkerEvent) => void,
  ) {
    this.logsRequests = logsRequests;
    this.#lineBytesMax = logRecordBytes;
  }

  add(download: DownloadReport, record: () => RequestRecord): void {
    this.#downloads.push(download);
    if (this.logsRequests) this.#lines += boundedRecord(line(record()), this.#lineBytesMax);
    if (this.#downloads.length >= gatheredMax) this.flush();
    else this.#timer ??= setTimeout(this.flush, gatheredMilliseconds);
  }

  readonly flush = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#downloads.length === 0) return;
    this.tell({ kind: 'reports', lines: this.#lines, downloads: this.#downloads });
    this.#lines = '';
    this.#downloads = [];
  };
}

/** A record of the log as the service's logger writes it. */
function line(record: RequestRecord): string {
  const fields = JSON.stringify({ pid: process.pid, ...record, msg: 'Request ended' });
  return `{"level":"info"${timestamp()},${fields.slice(1)}\n`;
}
