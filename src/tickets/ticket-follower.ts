import type { EventStream } from '../wire/event-stream.js';
import type { TicketEvent, TicketEventKind } from './ticket-watch.js';
import type { TicketInfo } from './ticket.js';
import type { TicketPermit } from './ticket-permit.js';
import type { TicketStore } from './ticket.store.js';

/** Progress is told at most this often: nobody looks closer. */
export const progressMilliseconds = 1000;

/** How a transfer stands, as the events of its ticket tell it (docs/protocol.md, "Events"). */
interface Progress {
  readonly transferred?: number;
  readonly received_bytes?: number;
  readonly durable_bytes?: number;
  readonly active: boolean;
  readonly connections: number;
  readonly bytes_per_second: number;
}

export interface FollowedTicket {
  readonly tickets: TicketStore;
  readonly permit: TicketPermit;
  /** The newest state that the client has; what it names is not sent again. */
  readonly lastEventId: string | undefined;
  /** Answers with the stream, once it is known that there is something to tell. */
  readonly begin: () => EventStream;
  /** Has what it is given called when the service begins to stop. */
  readonly onDrain: (listener: () => void) => void;
}

/**
 * Sends what happens to one ticket until it ends or the client leaves. It only looks: nothing of it counts
 * as an operation of the ticket or renews it.
 * @throws NotFoundError when there is no such ticket any more, and what `begin` throws
 */
export async function followTicket(followed: FollowedTicket): Promise<void> {
  const { tickets, permit, lastEventId } = followed;
  const { id } = permit.definition;
  const info = await tickets.info(id);
  const stream = followed.begin();
  const follower = new TicketFollower(stream, tickets, permit, info);
  const stop = tickets.watch(id, follower.hear);
  followed.onDrain(() => {
    follower.drain();
  });
  try {
    if (info.stateId !== lastEventId) follower.sendFirst(info);
    await stream.closed;
  } finally {
    stop();
    follower.stop();
  }
}

class TicketFollower {
  #info: TicketInfo;
  #rate = 0;
  #ratedAt = performance.now();
  #ratedBytes: number;
  #sent = '';
  #sentAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly stream: EventStream,
    private readonly tickets: TicketStore,
    private readonly permit: TicketPermit,
    info: TicketInfo,
  ) {
    this.#info = info;
    this.#ratedBytes = info.movedBytes;
  }

  sendFirst(info: TicketInfo): void {
    const progress = this.#progress(info);
    this.#sent = JSON.stringify(progress);
    this.stream.send({ event: 'progress', data: progress, id: info.stateId });
  }

  readonly hear = ({ kind }: TicketEvent): void => {
    if (kind === 'changed') this.#schedule();
    else if (kind !== 'added') void this.#tell(kind);
  };

  /** Ends the stream because the service stops. */
  drain(): void {
    this.#end('draining');
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    const delay = Math.max(0, this.#sentAt + progressMilliseconds - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#sendProgress();
    }, delay);
  }

  async #sendProgress(): Promise<void> {
    if (!(await this.#look())) return;
    this.#measureRate();
    const progress = this.#progress(this.#info);
    const text = JSON.stringify(progress);
    this.#sentAt = performance.now();
    if (text !== this.#sent) {
      this.#sent = text;
      this.stream.send({ event: 'progress', data: progress, id: this.#info.stateId });
    }
    // A speed that was told becomes wrong when nothing happens any more.
    if (this.#rate > 0) this.#schedule();
  }

  async #tell(kind: Exclude<TicketEventKind, 'added' | 'changed'>): Promise<void> {
    if (kind === 'removed') {
      this.#end(kind);
      return;
    }
    if (!(await this.#look())) return;
    if (kind === 'expired') this.#end(kind);
    else if (kind !== 'cancelled') this.#send(kind);
    // A ticket that nothing runs for is removed a moment after it was cancelled, which says more.
    else if (this.#info.active) this.#end(kind);
  }

  #send(event: 'flushed' | 'extended'): void {
    const data = {
      ...this.#progress(this.#info),
      ...(event === 'extended' ? { expires_in: Math.floor(this.permit.remainingSeconds) } : {}),
    };
    this.stream.send({ event, data, id: this.#info.stateId });
  }

  #end(event: string): void {
    this.stream.end({ event, data: this.#progress(this.#info), id: this.#info.stateId });
  }

  /** @returns false when the ticket is gone, which an event of its own tells */
  async #look(): Promise<boolean> {
    try {
      this.#info = await this.tickets.info(this.permit.definition.id);
      return true;
    } catch {
      return false;
    }
  }

  #measureRate(): void {
    const now = performance.now();
    const { movedBytes } = this.#info;
    this.#rate = Math.round(((movedBytes - this.#ratedBytes) * 1000) / Math.max(1, now - this.#ratedAt));
    this.#ratedAt = now;
    this.#ratedBytes = movedBytes;
  }

  #progress(info: TicketInfo): Progress {
    const { transferredBytes, receivedBytes, durableBytes, active, connections } = info;
    return {
      ...(transferredBytes === undefined ? {} : { transferred: transferredBytes }),
      ...(this.permit.writable ? { received_bytes: receivedBytes, durable_bytes: durableBytes } : {}),
      active,
      connections,
      bytes_per_second: this.#rate,
    };
  }
}
