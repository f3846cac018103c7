import assert from 'node:assert/strict';
import { NotAllowedError, UnavailableError } from '../base/errors.js';
import type { AbortRoot, Lease, ProgressListener } from '../base/lease.js';
import type { Grant } from './grant.js';

/** Why a session ended: a client deleted it, its grant ran out, or this process closes its store. */
export type SessionEnd = 'deleted' | 'expired' | 'closed';

/**
 * A grant in use: opened by `POST /sessions/` or a signed ticket shown with a request, under a random id,
 * or stored by `PUT /tickets/` under the transfer ticket's id.
 *
 * Requests that run for it register here and are told when it ends. One object stands for the
 * session in a process; a store that several processes share keeps one in each, and ends it
 * wherever the session was deleted.
 */
export class Session {
  /** What runs for it, and what is aborted to stop it. */
  readonly #leases = new Map<Lease, AbortRoot>();
  #grant: Grant;
  #end: SessionEnd | undefined;

  /**
   * @param id unguessable; it is a credential, never logged
   * @param onUse told when the first request begins to run for it, and when the last one has ended
   */
  constructor(
    readonly id: string,
    grant: Grant,
    private readonly onUse: (inUse: boolean) => void = () => undefined,
  ) {
    this.#grant = grant;
  }

  get grant(): Grant {
    return this.#grant;
  }

  /** How many requests run for it in this process. */
  get runningCount(): number {
    return this.#leases.size;
  }

  isOver(nowUnixSeconds: number): boolean {
    return this.#end !== undefined || nowUnixSeconds >= this.#grant.endsUnixSeconds;
  }

  /** Whether it is for the transfer ticket of `grant`: only then that grant may renew it. */
  isFor({ transferTicketId }: Grant): boolean {
    return this.#grant.transferTicketId === transferTicketId;
  }

  /**
   * Replaces the grant by another of the same transfer ticket; requests that run go on under it. For the
   * store alone to call.
   */
  renew(grant: Grant): void {
    assert.ok(this.isFor(grant), 'a session stays with its transfer ticket');
    this.#grant = grant;
  }

  /**
   * Registers a request that is about to run for it; the caller ends the lease whatever happens. When the
   * session ends meanwhile, that aborts `root`.
   * @throws NotAllowedError, or UnavailableError when the service stops, if it has ended since it was found
   */
  begin(root: AbortRoot, onProgress: ProgressListener = () => undefined): Lease {
    if (this.#end !== undefined) throw sessionEnded(this.#end);
    const lease: Lease = {
      signal: root.signal,
      // A session keeps no account of what was transferred: the daemon's ticket does.
      progressed: onProgress,
      holdBack: () => undefined,
      confirm: () => undefined,
      end: () => {
        if (this.#leases.delete(lease) && this.#leases.size === 0) this.onUse(false);
      },
    };
    this.#leases.set(lease, root);
    if (this.#leases.size === 1) this.onUse(true);
    return lease;
  }

  /** Ends it, once, and stops what runs for it. For the store alone to call. */
  end(end: SessionEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    const roots = [...this.#leases.values()];
    this.#leases.clear();
    for (const root of roots) root.abort(sessionEnded(end));
  }
}

/** What a client is told whose session has ended. */
function sessionEnded(end: SessionEnd): Error {
  if (end === 'closed') return new UnavailableError('The service is stopping');
  return new NotAllowedError(end === 'deleted' ? 'the session was deleted' : 'the session has expired');
}
