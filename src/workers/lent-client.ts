import type { ClientConnection } from '../wire/client-connection.js';
import type { ClientThread, LentImage, ReadGrant } from '../wire/client-thread.js';
import type { ClientEvents, Lending } from '../wire/tls-threads.js';
import type { Grant, GrantCells } from './grant-cells.js';
import type { LentSocket } from './lent-socket.js';
import type { WorkerCommand } from './messages.js';

/** What a connection needs of the thread that has it. */
export interface LendingThread {
  readonly cells: GrantCells;
  tell(command: WorkerCommand): void;
  /** Tells those who wait for it of all that was sent until now. */
  settle(): void;
  /** From now on `take` is told of what is sent by the grant in `cell`. */
  follow(cell: number, follower: CellFollower): void;
  forget(cell: number): void;
}

/** Told of what happens in a cell. */
export interface CellFollower {
  readonly onRead: LentImage['onRead'];
  /** Nothing runs any more by a grant that was revoked. */
  readonly onLeft: () => void;
}

/** One connection that a data worker has, as the main thread sees it. */
export class LentClient implements ClientThread {
  readonly #grants = new Map<string, LentGrant>();
  #lastReadAt = performance.now();
  #closed = false;
  #asking = 0;
  /** A request that the thread may not answer is on its way here. */
  #isAwaited = false;
  /** Since TLS is spoken. */
  connection: ClientConnection | undefined;

  constructor(
    readonly id: number,
    readonly socket: LentSocket,
    readonly events: ClientEvents,
    private readonly thread: LendingThread,
  ) {
    socket.once('close', () => {
      if (!this.#closed && !socket.writableEnded) thread.tell({ kind: 'cut', id });
    });
  }

  began(): void {
    this.#isAwaited = false;
  }

  answered(): void {
    if (this.#closed) return;
    this.thread.tell({ kind: 'answered', id: this.id, sentBytes: this.socket.bytesWritten });
  }

  get idleSeconds(): number {
    this.thread.settle();
    if (this.isRunning) return 0;
    return (performance.now() - this.#lastReadAt) / 1000;
  }

  get isRunning(): boolean {
    if (this.#asking > 0 || this.#isAwaited) return true;
    for (const { isAnswering } of this.#grants.values()) if (isAnswering) return true;
    return false;
  }

  offer(image: LentImage): ReadGrant | undefined {
    if (this.#closed) return undefined;
    const place = this.thread.cells.grant();
    if (place === undefined) return undefined;
    const grant = new LentGrant(place, image.sizeBytes, this.id, this.thread, () => {
      if (this.#grants.get(image.ticketId) === grant) this.#grants.delete(image.ticketId);
    });
    const { onRead, ...told } = image;
    this.thread.follow(place.cell, {
      onRead: (part, atSeconds) => {
        this.#lastReadAt = performance.now();
        onRead(part, atSeconds);
      },
      onLeft: () => {
        grant.left();
      },
    });
    this.#grants.set(image.ticketId, grant);
    this.thread.tell({ kind: 'grant', id: this.id, image: { ...told, grant: place } });
    return grant;
  }

  /** While `question` is open, its client waits for the service. @param question that never rejects */
  async ask(question: () => Promise<Lending>): Promise<Lending> {
    this.#asking += 1;
    const lending = await question();
    this.#asking -= 1;
    this.#isAwaited = lending !== 'lent';
    return lending;
  }

  /** No download begins any more, and one that runs goes on. */
  suspend(): void {
    for (const grant of this.#grants.values()) grant.suspend();
  }

  /** The connection is closed. */
  closed(): void {
    this.#closed = true;
    this.socket.destroy();
    this.events.closed();
  }

  destroy(): void {
    this.thread.tell({ kind: 'destroy', id: this.id });
    this.socket.destroy();
  }
}

class LentGrant implements ReadGrant {
  /** Whoever waits until nothing runs. */
  #leaving: PromiseWithResolvers<undefined> | undefined;
  #revoked: Promise<void> | undefined;

  constructor(
    private readonly grant: Grant,
    readonly sizeBytes: number,
    private readonly clientId: number,
    private readonly thread: LendingThread,
    private readonly onRevoked: () => void,
  ) {}

  get running(): boolean {
    return this.thread.cells.isReading(this.grant);
  }

  get isAnswering(): boolean {
    return this.thread.cells.isAnswering(this.grant);
  }

  get revoked(): boolean {
    return this.#revoked !== undefined;
  }

  settle(): void {
    this.thread.settle();
  }

  suspend(): void {
    this.thread.cells.suspend(this.grant);
  }

  revoke(): Promise<void> {
    this.#revoked ??= this.#revoke();
    return this.#revoked;
  }

  /** The thread says that it reads no more. */
  left(): void {
    this.#leaving?.resolve(undefined);
  }

  async #revoke(): Promise<void> {
    const { cells } = this.thread;
    cells.revoke(this.grant);
    this.thread.tell({ kind: 'revoke', id: this.clientId, grant: this.grant });
    this.onRevoked();
    // It may have been told of somebody who had the cell before, so it looks again.
    while (this.running) {
      this.#leaving = Promise.withResolvers<undefined>();
      await this.#leaving.promise;
    }
    this.thread.settle();
    this.thread.forget(this.grant.cell);
    cells.release(this.grant);
  }
}
