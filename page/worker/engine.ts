import {
  AbortedError,
  BlobDisk,
  startTransfer,
  StoppedError,
  type Transfer,
  type TransferOptions,
  type TransferProgress,
} from '#sdk/transfer';
import type { Access } from '../access.js';
import { Memory } from '../memory.js';
import type { Order, Report } from '../messages.js';
import { Connection } from './connection.js';
import { fileIdentity } from './file-identity.js';
import { findingWords, problemOf } from './problem-of.js';
import { SavedFile } from './saved-file.js';

/** A browser has six connections to a service; two are left to whatever else is asked meanwhile. */
const workersMax = 4;
/** One piece is read and one is on its way while storage is busy, also where it takes one writer. */
const workersMin = 3;
const MiB = 2 ** 20;
/** Disks below that are moved in smaller pieces: of few large ones there is little progress to show. */
const smallDiskBytes = 256 * MiB;
/** Of half a minute at most: a night without network. Whoever watches can stop it before. */
const retriesMax = 1000;
/** What a browser that is killed has sent since is compared or asked for, and mostly not sent again. */
const checkpointSeconds = 30;

type UploadOrder = Extract<Order, { kind: 'upload' }>;
type DownloadOrder = Extract<Order, { kind: 'download' }>;

/** What is moved, and how. */
interface Moved {
  readonly verify: boolean;
  readonly sizeBytes: number;
  /** As the service advises. */
  readonly connectionsMax: number;
}

/** One connection and the transfer over it. */
export class Engine {
  readonly #controller = new AbortController();
  #connection: Connection | undefined;
  #transfer: Transfer | undefined;
  #running: Promise<void> | undefined;

  constructor(private readonly tell: (report: Report) => void) {}

  async obey(order: Order): Promise<void> {
    try {
      await this.#obey(order);
    } catch (error: unknown) {
      this.#tellFailure(error);
    }
  }

  /** The network is back. */
  retryNow(): void {
    this.#transfer?.retryNow();
  }

  async #obey(order: Order): Promise<void> {
    switch (order.kind) {
      case 'connect':
        await this.#connect(order.access);
        return;
      case 'upload':
        await this.#alone((connection) => this.#upload(connection, order));
        return;
      case 'download':
        await this.#alone((connection) => this.#download(connection, order));
        return;
      case 'pause':
        this.#transfer?.pause();
        return;
      case 'resume':
        this.#transfer?.resume();
        return;
      case 'retry-now':
        this.retryNow();
        return;
      case 'cancel':
        this.#transfer?.abort();
        return;
      case 'close':
        await this.#leave();
    }
  }

  async #connect(access: Access): Promise<void> {
    const connection = await Connection.open(access, this.#controller.signal);
    this.#connection = connection;
    const { held } = await navigator.locks.query();
    if (held?.some(({ name }) => name === lockName(connection)) === true) {
      await this.#waitForOtherTab(connection);
      return;
    }
    this.tell({ kind: 'connected', disk: connection.disk, sessionId: connection.sessionId });
  }

  /** Runs a transfer, unless another tab has one to the same disk. */
  async #alone(work: (connection: Connection) => Promise<void>): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) throw new Error('There is no connection');
    const ran = await navigator.locks.request(lockName(connection), { ifAvailable: true }, async (lock) => {
      if (lock === null) return false;
      this.#running = work(connection).catch((error: unknown) => {
        this.#tellFailure(error);
      });
      await this.#running;
      await this.#close();
      return true;
    });
    if (!ran) await this.#waitForOtherTab(connection);
  }

  async #waitForOtherTab(connection: Connection): Promise<void> {
    this.tell({ kind: 'failed', problem: { code: 'other-tab', words: [] } });
    await navigator.locks.request(lockName(connection), () => {
      this.tell({ kind: 'free' });
    });
  }

  async #upload(connection: Connection, { file, handle, verify, anew }: UploadOrder): Promise<void> {
    const { access, image, disk } = connection;
    const { path } = disk;
    const { writersMax } = image.capabilities;
    const memory = await Memory.open();
    if (anew) await memory?.forget(path);
    const sourceIdentity = await fileIdentity(file);
    const transfer = startTransfer(new BlobDisk(file), image, {
      ...this.#options({ verify, sizeBytes: file.size, connectionsMax: writersMax }),
      state: memory?.of({ path, access, fileName: file.name, handle }),
      sourceIdentity,
      targetIdentity: path,
    });
    try {
      const progress = await this.#follow(transfer, connection);
      this.tell({ kind: 'done', progress });
    } catch (error: unknown) {
      if (error instanceof AbortedError) await memory?.forget(path);
      throw error;
    }
  }

  async #download(connection: Connection, { handle, verify }: DownloadOrder): Promise<void> {
    const { image } = connection;
    const { sizeBytes } = image;
    const connectionsMax = image.capabilities.readersMax;
    const file = await SavedFile.create(handle, sizeBytes);
    try {
      const transfer = startTransfer(image, file, this.#options({ verify, sizeBytes, connectionsMax }));
      const progress = await this.#follow(transfer, connection);
      await file.close();
      this.tell({ kind: 'done', progress });
    } catch (error: unknown) {
      await file.discard().catch(() => undefined);
      throw error;
    }
  }

  #options({ verify, sizeBytes, connectionsMax }: Moved): Partial<TransferOptions> {
    return {
      verify,
      workers: Math.max(workersMin, Math.min(workersMax, connectionsMax)),
      blockBytes: sizeBytes < smallDiskBytes ? MiB : 4 * MiB,
      retriesMax,
      checkpointSeconds,
      onFinding: (finding) => {
        if (finding.severity === 'warning') this.tell({ kind: 'warning', words: findingWords(finding) });
      },
      onRetry: (error, delaySeconds) => {
        this.tell({ kind: 'waiting', problem: problemOf(error), delaySeconds });
      },
    };
  }

  async #follow(transfer: Transfer, connection: Connection): Promise<TransferProgress> {
    this.#transfer = transfer;
    for await (const progress of transfer)
      this.tell({ kind: 'progress', progress, sessionId: connection.sessionId });
    return transfer.result;
  }

  #tellFailure(error: unknown): void {
    if (error instanceof AbortedError) this.tell({ kind: 'cancelled' });
    else this.tell({ kind: 'failed', problem: problemOf(error) });
  }

  /** What is there stays there, and is remembered. */
  async #leave(): Promise<void> {
    this.#transfer?.abort(new StoppedError());
    await this.#running;
    await this.#close();
    this.tell({ kind: 'closed' });
  }

  async #close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#controller.abort(new AbortedError());
    await connection?.close();
  }
}

function lockName({ disk: { path } }: Connection): string {
  return `transfer ${path}`;
}
