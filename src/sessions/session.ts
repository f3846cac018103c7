import assert from 'node:assert/strict';
import type { TransferGrant } from './transfer-grant.js';

/** Why a session ended: a client deleted it, its grant ran out, or this process closes its store. */
export type SessionEnd = 'deleted' | 'expired' | 'closed';

/**
 * A grant in use: opened by `POST /sessions/` or a signed ticket shown with a request, under a random id, or stored by
 * `PUT /tickets/` under the transfer ticket's id.
 *
 * Requests that run for it register here and are told when it ends. One object stands for the session in a process;
 * a store that several processes share keeps one in each, and ends it wherever the session was deleted.
 */
export class Session {
  readonly #cancels = new Set<(end: SessionEnd) => void>();
  #grant: TransferGrant;
  #end: SessionEnd | undefined;

  /**
   * @param id unguessable; it is a credential, never logged
   * @param onUse told when the first request begins to run for it, and when the last one has ended
   */
  constructor(
    readonly id: string,
    grant: TransferGrant,
    private readonly onUse: (inUse: boolean) => void = () => undefined,
  ) {
    this.#grant = grant;
  }

  get grant(): TransferGrant {
    return this.#grant;
  }

  /** How many requests run for it in this process. */
  get runningCount(): number {
    return this.#cancels.size;
  }

  isOver(nowUnixSeconds: number): boolean {
    return this.#end !== undefined || nowUnixSeconds >= this.#grant.endsUnixSeconds;
  }

  /** Whether it is for the transfer ticket of `grant`: only then that grant may renew it. */
  isFor({ transferTicketId }: TransferGrant): boolean {
    return this.#grant.transferTicketId === transferTicketId;
  }

  /**
   * Replaces the grant by another of the same transfer ticket; requests that run go on under it. For the
   * store alone to call.
   */
  renew(grant: TransferGrant): void {
    assert.ok(this.isFor(grant), 'a session stays with its transfer ticket');
    this.#grant = grant;
  }

  /**
   * Registers a running request.
   * @param cancel called at most once, when the session ends before the request does; at once if it already ended, so
   *   that a deletion between finding a session and running a request for it is not missed. Must not throw.
   * @returns call it when the request has ended, however it did
   */
  run(cancel: (end: SessionEnd) => void): () => void {
    if (this.#end !== undefined) {
      cancel(this.#end);
      return () => undefined;
    }
    // A function of its own, so that the same `cancel` may be registered twice.
    const entry = (end: SessionEnd): void => {
      cancel(end);
    };
    this.#cancels.add(entry);
    if (this.#cancels.size === 1) this.onUse(true);
    return () => {
      if (this.#cancels.delete(entry) && this.#cancels.size === 0) this.onUse(false);
    };
  }

  /** Ends it, once, and cancels what runs for it. For the store alone to call. */
  end(end: SessionEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    const cancels = [...this.#cancels];
    this.#cancels.clear();
    for (const cancel of cancels) cancel(end);
  }
}
