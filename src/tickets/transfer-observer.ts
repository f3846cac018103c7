import type { OperationKind } from '../contract/operation-kind.js';

/**
 * Who wants to know which operations run, and what becomes of them. Never told which image or ticket it is.
 */
export interface TransferObserver {
  /** An operation begins. @param listener the name of the listener that it was asked for at */
  begin(kind: OperationKind, listener: string): ObservedTransfer;
}

export const TRANSFER_OBSERVER = Symbol('TRANSFER_OBSERVER');

export interface ObservedTransfer {
  /** So much was moved. Called for each I/O, so it must be quick and never throw. */
  progressed(lengthBytes: number): void;
  /** Where the image is, e.g. `file`, is known from now on. */
  located(backend: string): void;
  /** The operation has ended, well or not. */
  ended(times: TransferTimes): void;
}

/**
 * Where the time of an operation went. Storage and network overlap, so the parts may add up to more than
 * the whole, or to less where it was neither of them.
 */
export interface TransferTimes {
  readonly totalSeconds: number;
  /** I/O of the image, or at the proxy the daemon, was waited for or under way. */
  readonly backendSeconds: number;
  /** The client was waited for, to send or to read. */
  readonly clientSeconds: number;
}
