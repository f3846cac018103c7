import type { BufferPool } from '../../images/buffers/buffer-pool.js';
import type { BufferCounts } from '../buffer-counts.js';
import type { GrantCells } from '../grant-cells.js';
import type { WorkerEvent } from '../messages.js';
import type { ReadLedger } from '../read-ledger.js';
import type { EndedClients } from './ended-clients.js';
import type { Reports } from './reports.js';

/** What the downloads of one thread share. */
export interface DownloadMeans {
  /** The name of the listener. */
  readonly listener: string;
  /** There are grants to ask for. */
  readonly readsImages: boolean;
  readonly pool: BufferPool;
  readonly cells: GrantCells;
  readonly ledger: ReadLedger;
  readonly counts: BufferCounts;
  readonly reports: Reports;
  readonly ended: EndedClients;
  /** To the main thread. */
  readonly tell: (event: WorkerEvent) => void;
}

/** The connection that a download is sent on. */
export interface DownloadClient {
  /** The client's, as logs have it. */
  readonly address: string | undefined;
  readonly closed: boolean;
  /**
   * Resolves when the kernel has taken all of `data`, so that its memory can be used again.
   * @param beforeLast called before so much is left that a client may have it before this resolves
   * @throws ClientGoneError when the connection closed before
   */
  send(data: Uint8Array, beforeLast?: () => void): Promise<void>;
  /** Cuts what is being sent. */
  destroy(): void;
}
