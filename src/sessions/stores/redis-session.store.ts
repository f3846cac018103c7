import { randomUUID } from 'node:crypto';
import type { RedisConnection } from './redis-connection.js';
import { type RedisSessionTableOptions, RedisSessionTable } from './redis-session.table.js';
import type { Session } from '../session.js';
import type { SessionStore } from './session.store.js';
import type { Grant } from '../grant.js';
import type { Clock } from '../../base/clock.js';

export type RedisSessionStoreOptions = Omit<RedisSessionTableOptions, 'kind'>;

/** Sessions in Redis, shared by all proxies that use the same server and database. */
export class RedisSessionStore implements SessionStore {
  readonly #table: RedisSessionTable;

  /** @param connection not opened yet; it outlives the store, which does not close it */
  constructor(connection: RedisConnection, options: RedisSessionStoreOptions, clock: Clock) {
    this.#table = new RedisSessionTable(connection, { ...options, kind: 'session' }, clock);
  }

  async create(grant: Grant): Promise<Session> {
    return this.#table.put(randomUUID(), grant);
  }

  async findOrCreate(grant: Grant): Promise<Session> {
    return this.#table.findOrPut(randomUUID(), grant);
  }

  async renew(sessionId: string, grant: Grant): Promise<Session | undefined> {
    return this.#table.renew(sessionId, grant);
  }

  async find(sessionId: string): Promise<Session | undefined> {
    return this.#table.find(sessionId);
  }

  async delete(sessionId: string): Promise<boolean> {
    return this.#table.delete(sessionId);
  }

  async count(): Promise<number> {
    return this.#table.count();
  }

  async close(): Promise<void> {
    this.#table.close();
  }
}
