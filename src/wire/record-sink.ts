export type RecordLevel = 'debug' | 'info' | 'warn' | 'error';

/** A log record of what somebody did who has shown no ticket. */
export interface StrangerRecord {
  /** The address; undefined for unix sockets. */
  readonly client: string | undefined;
  /** What was answered, if it is about a request: 0 when the client was gone before. */
  readonly status?: number;
  readonly [field: string]: unknown;
}

/** Takes the log records that anybody can cause without a ticket, and may sum them up. */
export interface RecordSink {
  write(level: RecordLevel, record: StrangerRecord, message: string): void;
}
