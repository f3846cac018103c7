import { Session } from '../session.js';
import type { GrantStore } from './grant.store.js';
import { MemorySessionTable, type SessionTableOptions } from './memory-session.table.js';
import type { Grant } from '../grant.js';
import type { Clock } from '../../base/clock.js';

/**
 * Grants of `PUT /tickets/` in the memory of this process, each a session whose id is
 * the transfer ticket's.
 */
export class MemoryGrantStore implements GrantStore {
  readonly #table: MemorySessionTable;

  constructor(options: SessionTableOptions, clock: Clock) {
    this.#table = new MemorySessionTable(options, clock);
  }

  async put(grant: Grant): Promise<Session> {
    const stored = this.#table.find(grant.transferTicketId);
    if (stored) {
      stored.renew(grant);
      return stored;
    }
    const session = new Session(grant.transferTicketId, grant);
    this.#table.add(session);
    return session;
  }

  async find(transferTicketId: string): Promise<Session | undefined> {
    return this.#table.find(transferTicketId);
  }

  async delete(transferTicketId: string): Promise<boolean> {
    return this.#table.delete(transferTicketId);
  }

  async count(): Promise<number> {
    return this.#table.size;
  }

  async close(): Promise<void> {
    this.#table.close();
  }
}
