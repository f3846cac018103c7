import type { AbortRoot } from '../base/lease.js';
import type { LogFields } from '../wire/exchange.js';

/** What an operation is done for, and stopped with: a request, or a job that goes on without one. */
export interface OperationRoot extends AbortRoot {
  /** The name of the listener that it was asked for at. */
  readonly listener: string;
  /** Of the record that tells of its end. */
  readonly logFields: LogFields;
  /** For how long its client was waited for. */
  readonly clientSeconds: number;
  /** Tells a client that asked for it, until the returned function is called, that the operation runs. */
  showSignsOfLife(): () => void;
}
