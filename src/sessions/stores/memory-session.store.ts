import { randomUUID } from 'node:crypto';
import { Session } from '../session.js';
import type { SessionStore, SessionStoreOptions } from './session.store.js';
import { MemorySessionTable } from './memory-session.table.js';
import type { Grant } from '../grant.js';
import type { Clock } from '../../base/clock.js';

/**
 * Sessions in the memory of this process: they end with it, and clients open new ones
 * with their signed tickets.
 */
export class MemorySessionStore implements SessionStore {
  readonly #table: MemorySessionTable;
  /** The session that a ticket last opened or renewed, by the ticket's fingerprint. */
  readonly #byFingerprint = new Map<string, Session>();
  /** The sessions of each transfer ticket, in the order in which they were opened. */
  readonly #byTransferTicket = new Map<string, Set<Session>>();

  constructor(
    private readonly options: SessionStoreOptions,
    clock: Clock,
  ) {
    this.#table = new MemorySessionTable(options, clock, (session) => {
      this.#forgetFingerprint(session);
      this.#forgetSibling(session);
    });
  }

  async create(grant: Grant): Promise<Session> {
    return this.#add(grant);
  }

  async findOrCreate(grant: Grant): Promise<Session> {
    const known = this.#byFingerprint.get(grant.fingerprint);
    const live = known && this.#table.find(known.id);
    return live ?? this.#add(grant);
  }

  async renew(sessionId: string, grant: Grant): Promise<Session | undefined> {
    const session = this.#table.find(sessionId);
    if (!session?.isFor(grant)) return undefined;
    this.#forgetFingerprint(session);
    session.renew(grant);
    this.#byFingerprint.set(grant.fingerprint, session);
    return session;
  }

  async find(sessionId: string): Promise<Session | undefined> {
    return this.#table.find(sessionId);
  }

  async delete(sessionId: string): Promise<boolean> {
    return this.#table.delete(sessionId);
  }

  async count(): Promise<number> {
    return this.#table.size;
  }

  async close(): Promise<void> {
    this.#table.close();
  }

  #add(grant: Grant): Session {
    const { transferTicketId } = grant;
    this.#makeRoom(transferTicketId);
    const session = new Session(randomUUID(), grant);
    this.#table.add(session);
    const siblings = this.#byTransferTicket.get(transferTicketId) ?? new Set();
    this.#byTransferTicket.set(transferTicketId, siblings.add(session));
    this.#byFingerprint.set(grant.fingerprint, session);
    return session;
  }

  /** Ends sessions of the ticket until there is room for one more: that leaves room in the table too. */
  #makeRoom(transferTicketId: string): void {
    const siblings = [...(this.#byTransferTicket.get(transferTicketId) ?? [])];
    // Looking a session up removes it if it has expired, so only live ones are left.
    const live = siblings.filter(({ id }) => this.#table.find(id) !== undefined);
    const idleFirst = [
      ...live.filter(({ runningCount }) => runningCount === 0),
      ...live.filter(({ runningCount }) => runningCount > 0),
    ];
    const surplus = Math.max(0, live.length + 1 - this.options.sessionsPerTicketMax);
    for (const { id } of idleFirst.slice(0, surplus)) this.#table.delete(id);
  }

  #forgetSibling(session: Session): void {
    const { transferTicketId } = session.grant;
    const siblings = this.#byTransferTicket.get(transferTicketId);
    siblings?.delete(session);
    if (siblings?.size === 0) this.#byTransferTicket.delete(transferTicketId);
  }

  #forgetFingerprint(session: Session): void {
    const { fingerprint } = session.grant;
    if (this.#byFingerprint.get(fingerprint) === session) this.#byFingerprint.delete(fingerprint);
  }
}
