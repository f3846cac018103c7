import { randomUUID } from 'node:crypto';
import { Session } from './session.js';
import type { SessionStore } from './session.store.js';
import { SessionTable, type SessionTableOptions } from './session.table.js';
import type { TransferGrant } from './transfer-grant.js';
import type { Clock } from '../clock.js';

/** Sessions in the memory of this process: they end with it, and clients open new ones with their signed tickets. */
export class MemorySessionStore implements SessionStore {
  readonly #table: SessionTable;
  /** The session that a ticket last opened or renewed, by the ticket's fingerprint. */
  readonly #byFingerprint = new Map<string, Session>();

  constructor(options: SessionTableOptions, clock: Clock) {
    this.#table = new SessionTable(options, clock, (session) => {
      this.#forgetFingerprint(session);
    });
  }

  async create(grant: TransferGrant): Promise<Session> {
    return this.#add(grant);
  }

  async findOrCreate(grant: TransferGrant): Promise<Session> {
    const known = this.#byFingerprint.get(grant.fingerprint);
    const live = known && this.#table.find(known.id);
    return live ?? this.#add(grant);
  }

  async renew(sessionId: string, grant: TransferGrant): Promise<Session | undefined> {
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

  #add(grant: TransferGrant): Session {
    const session = new Session(randomUUID(), grant);
    this.#table.add(session);
    this.#byFingerprint.set(grant.fingerprint, session);
    return session;
  }

  #forgetFingerprint(session: Session): void {
    const { fingerprint } = session.grant;
    if (this.#byFingerprint.get(fingerprint) === session) this.#byFingerprint.delete(fingerprint);
  }
}
