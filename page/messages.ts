import type { TransferProgress } from '#sdk/transfer';
import type { Access } from './access.js';
import type { Problem } from './problem.js';

/** What the page knows of the disk at the service. */
export interface Disk {
  readonly path: string;
  /** As large as it may become. */
  readonly sizeBytes: number;
  /** The ticket is for an upload; else for a download. */
  readonly writable: boolean;
  /** What the service calls it as a file, if it has a name. */
  readonly fileName: string | undefined;
}

/** To the worker, which has one connection and one transfer. */
export type Order =
  | { readonly kind: 'connect'; readonly access: Access }
  | {
      readonly kind: 'upload';
      readonly file: File;
      /** By which the file is found again after a restart of the browser, where it has such. */
      readonly handle: FileSystemFileHandle | undefined;
      readonly verify: boolean;
      /** What is there of an earlier upload does not count. */
      readonly anew: boolean;
    }
  | { readonly kind: 'download'; readonly handle: FileSystemFileHandle; readonly verify: boolean }
  | { readonly kind: 'pause' | 'resume' | 'retry-now' | 'cancel' | 'close' };

/** From the worker. */
export type Report =
  | { readonly kind: 'connected'; readonly disk: Disk; readonly sessionId: string }
  | { readonly kind: 'progress'; readonly progress: TransferProgress; readonly sessionId: string }
  /** Something fails that may pass, and is tried again. */
  | { readonly kind: 'waiting'; readonly problem: Problem; readonly delaySeconds: number }
  /** Something to know before the transfer, which begins all the same. */
  | { readonly kind: 'warning'; readonly words: string }
  | { readonly kind: 'done'; readonly progress: TransferProgress }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly problem: Problem }
  /** The transfer that ran in another tab is over there. */
  | { readonly kind: 'free' }
  /** The worker has nothing open any more. */
  | { readonly kind: 'closed' };
