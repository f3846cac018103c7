import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { BufferUse } from '../images/buffers/buffer-gauges.js';
import { BufferPool, type PoolSize } from '../images/buffers/buffer-pool.js';
import { UnavailableError } from '../base/errors.js';
import { settledWithin } from '../base/settled-within.js';
import { connectedSockets } from '../native/socket-calls.js';
import { releasingMemory } from '../node-internals/release-memory.js';
import type { AcceptedClient, ClientEvents, ImageLender, Lending, TlsThreads } from '../wire/tls-threads.js';
import type { ServerTls } from '../wire/server-tls.js';
import { BufferCounts } from './buffer-counts.js';
import { GrantCells } from './grant-cells.js';
import { type CellFollower, LentClient, type LendingThread } from './lent-client.js';
import { LentSocket } from './lent-socket.js';
import type { DownloadReport, WorkerCommand, WorkerEvent, WorkerStart } from './messages.js';
import { ReadLedger } from './read-ledger.js';

/** What the workers themselves are given by those that start them. */
type StartedWith =
  'tls' | 'readsImages' | 'ledger' | 'cells' | 'counts' | 'sessionTicketKeys' | 'releasesMemory';

export interface DataWorkersOptions {
  readonly count: number;
  readonly worker: Omit<WorkerStart, StartedWith>;
  /** Grants that there may be at once: one for each connection and image. */
  readonly grantsMax: number;
  /** Lines of the log. */
  readonly writeLines: (lines: string) => void;
  readonly onDownload: (download: DownloadReport) => void;
  /** A thread has ended or failed: its descriptors and reads outlive it, so the process has to end. */
  readonly onDeath: (error: Error) => void;
}

/** How often what was sent is accounted for while nobody asks: tickets are in use meanwhile. */
const settleMilliseconds = 500;

/** A request leaves some KiB behind. */
const resourceLimits = { maxYoungGenerationSizeMb: 4 };

const ticketKeyBytes = 48;

/** A thread that reads from storage that hangs does not end by itself. */
const endSeconds = 1;

/**
 * The data workers of a listener: threads that speak TLS with its clients (docs/architecture.md, "Data
 * workers"). The main thread accepts each connection and gives it to the worker that has the fewest.
 */
export class DataWorkers implements TlsThreads {
  readonly #cells: GrantCells;
  readonly #followers: (CellFollower | undefined)[] = [];
  readonly #threads: DataThread[] = [];
  #settling: NodeJS.Timeout | undefined;
  lender: ImageLender | undefined;
  #draining = false;
  #lastId = 0;
  #ending = false;

  constructor(private readonly options: DataWorkersOptions) {
    this.#cells = GrantCells.create(options.grantsMax);
  }

  start(tls: ServerTls): void {
    const { count, worker } = this.options;
    const sessionTicketKeys = randomBytes(ticketKeyBytes);
    for (let number = 1; number <= count; number++) {
      const ledger = new ReadLedger();
      const counts = new BufferCounts(this.#poolSize);
      const workerData: WorkerStart = {
        ...worker,
        tls,
        sessionTicketKeys,
        readsImages: this.lender !== undefined,
        ledger: ledger.memory,
        cells: this.#cells.memory,
        counts: counts.memory,
        releasesMemory: releasingMemory.inUse,
      };
      const url = new URL('./data-worker.js', import.meta.url);
      const thread = new Worker(url, { name: `data-${number}`, workerData, resourceLimits });
      this.#threads.push(new DataThread(thread, { ledger, counts }, this));
    }
    this.#settling = setInterval(() => {
      this.settle();
    }, settleMilliseconds).unref();
  }

  get cells(): GrantCells {
    return this.#cells;
  }

  /** Threads have buffers to read into. */
  get canRead(): boolean {
    const { large, small } = BufferPool.counts(this.#poolSize);
    return large > 0 && small > 0;
  }

  /** Of each thread. */
  get buffers(): readonly BufferUse[] {
    return this.#threads.map(({ counts }) => counts);
  }

  get #poolSize(): PoolSize {
    const { bufferPoolBytes: poolBytes, bufferBytes } = this.options.worker;
    return { poolBytes, bufferBytes };
  }

  lend(client: AcceptedClient, events: ClientEvents): () => void {
    const thread = this.#threads.reduce((least, other) => (other.count < least.count ? other : least));
    this.#lastId += 1;
    return thread.lend(this.#lastId, client, events);
  }

  setTls(tls: ServerTls): void {
    for (const thread of this.#threads) thread.tell({ kind: 'tls', tls });
  }

  /** Whether requests are logged one by one. */
  setLogging(logsRequests: boolean): void {
    for (const thread of this.#threads) thread.tell({ kind: 'log', logsRequests });
  }

  drain(): void {
    this.#draining = true;
    for (const thread of this.#threads) thread.suspend();
  }

  get running(): number {
    return this.#threads.reduce((sum, thread) => sum + thread.running, 0);
  }

  abort(): void {
    for (const thread of this.#threads) thread.abort();
  }

  /** Accounts for all that was sent until now. */
  settle(): void {
    for (const { ledger } of this.#threads) {
      ledger.drain(({ cell, offsetBytes, lengthBytes, atSeconds }) => {
        this.#followers[cell]?.onRead({ offsetBytes, lengthBytes }, atSeconds);
      });
    }
  }

  follow(cell: number, follower: CellFollower): void {
    this.#followers[cell] = follower;
  }

  forget(cell: number): void {
    this.#followers[cell] = undefined;
  }

  /** Of the threads. */
  get draining(): boolean {
    return this.#draining;
  }

  left(cell: number): void {
    this.#followers[cell]?.onLeft();
  }

  reported(lines: string, downloads: readonly DownloadReport[]): void {
    if (lines !== '') this.options.writeLines(lines);
    for (const download of downloads) this.options.onDownload(download);
  }

  /** The first end of a thread, and no other, is told of. */
  died(error: Error): void {
    if (!this.#ending) this.options.onDeath(error);
    this.#ending = true;
  }

  /** Ends the threads and all their connections. */
  async close(): Promise<void> {
    this.#ending = true;
    clearInterval(this.#settling);
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

/** One worker, and the connections that it has. */
class DataThread implements LendingThread {
  readonly #clients = new Map<number, LentClient>();
  /** Ends the questions that are open. */
  readonly #asking = new AbortController();
  readonly ledger: ReadLedger;
  readonly counts: BufferCounts;

  constructor(
    private readonly worker: Worker,
    { ledger, counts }: Pick<DataThread, 'ledger' | 'counts'>,
    private readonly workers: DataWorkers,
  ) {
    this.ledger = ledger;
    this.counts = counts;
    worker.on('message', (event: WorkerEvent) => {
      this.#happened(event);
    });
    worker.on('error', (cause) => {
      workers.died(new Error('A data worker failed', { cause }));
    });
    worker.on('exit', (code) => {
      workers.died(new Error(`A data worker has ended with ${code}`));
    });
  }

  get cells(): GrantCells {
    return this.workers.cells;
  }

  get count(): number {
    return this.#clients.size;
  }

  get running(): number {
    return [...this.#clients.values()].filter(({ isRunning }) => isRunning).length;
  }

  lend(id: number, { fd, received, clientAddress }: AcceptedClient, events: ClientEvents): () => void {
    const [ours, passageFd] = this.#passage(fd);
    const client = new LentClient(id, new LentSocket(ours, clientAddress), events, this);
    this.#clients.set(id, client);
    this.tell({ kind: 'client', id, fd, passageFd, received, address: clientAddress });
    return () => {
      client.destroy();
    };
  }

  tell(command: WorkerCommand): void {
    this.worker.postMessage(command);
  }

  suspend(): void {
    for (const client of this.#clients.values()) client.suspend();
  }

  abort(): void {
    this.#asking.abort(new UnavailableError('The service is stopping'));
    this.tell({ kind: 'abort' });
  }

  settle(): void {
    this.workers.settle();
  }

  follow(cell: number, follower: CellFollower): void {
    this.workers.follow(cell, follower);
  }

  forget(cell: number): void {
    this.workers.forget(cell);
  }

  async close(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.worker.once('exit', resolve));
    this.tell({ kind: 'end' });
    await settledWithin(ended, endSeconds, async () => {
      await this.worker.terminate();
    });
    for (const client of this.#clients.values()) client.closed();
  }

  async #asked(id: number, ticketId: string, endBytes: number): Promise<void> {
    this.tell({ kind: 'asked', id, ticketId, lending: await this.#lending(id, ticketId, endBytes) });
  }

  async #lending(id: number, ticketId: string, endBytes: number): Promise<Lending> {
    const { lender, draining } = this.workers;
    const client = this.#clients.get(id);
    const connection = client?.connection;
    if (lender === undefined || client === undefined || connection === undefined) return 'not now';
    return client.ask(async () =>
      draining ? 'not now' : lender.lend(connection, { ticketId, endBytes }, this.#asking.signal),
    );
  }

  /** @param fd of the client, which is closed when there is none */
  #passage(fd: number): readonly [number, number] {
    try {
      return connectedSockets();
    } catch (error: unknown) {
      closeSync(fd);
      throw error;
    }
  }

  #happened(event: WorkerEvent): void {
    switch (event.kind) {
      case 'secure': {
        const client = this.#clients.get(event.id);
        if (client !== undefined) client.connection = client.events.secure(client.socket, client);
        break;
      }
      case 'ask':
        void this.#asked(event.id, event.ticketId, event.endBytes);
        break;
      case 'passes':
        this.#clients.get(event.id)?.events.passes();
        break;
      case 'failed':
        this.#clients.get(event.id)?.events.failed(event.reason);
        break;
      case 'closed':
        this.#clients.get(event.id)?.closed();
        this.#clients.delete(event.id);
        break;
      case 'left':
        this.workers.left(event.cell);
        break;
      case 'ledger':
        this.workers.settle();
        break;
      case 'reports':
        this.workers.reported(event.lines, event.downloads);
        break;
    }
  }
}
