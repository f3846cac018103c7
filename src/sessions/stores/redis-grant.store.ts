import type { RedisConnection } from './redis-connection.js';
import { RedisSessionTable, type RedisSessionTableOptions } from './redis-session.table.js';
import type { Session } from '../session.js';
import type { GrantStore } from './grant.store.js';
import type { Grant } from '../grant.js';
import type { Clock } from '../../base/clock.js';

export type RedisGrantStoreOptions = Omit<RedisSessionTableOptions, 'kind' | 'sessionsPerTicketMax'>;

/** Grants of `PUT /tickets/` in Redis, shared by all proxies that use the same server and database. */
export class RedisGrantStore implements GrantStore {
  readonly #table: RedisSessionTable;

  /** @param connection not opened yet; it outlives the store, which does not close it */
  constructor(connection: RedisConnection, options: RedisGrantStoreOptions, clock: Clock) {
    this.#table = new RedisSessionTable(
      connection,
      { ...options, sessionsPerTicketMax: 1, kind: 'grant' },
      clock,
    );
  }

  async put(grant: Grant): Promise<Session> {
    return this.#table.put(grant.transferTicketId, grant);
  }

  async find(transferTicketId: string): Promise<Session | undefined> {
    return this.#table.find(transferTicketId);
  }

  async delete(transferTicketId: string): Promise<boolean> {
    return this.#table.delete(transferTicketId);
  }

  async count(): Promise<number> {
    return this.#table.count();
  }

  async close(): Promise<void> {
    this.#table.close();
  }
}
