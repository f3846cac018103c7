import { NotFoundError, UnavailableError } from '../base/errors.js';
import type { GrantStore } from '../sessions/stores/grant.store.js';
import type { Session } from '../sessions/session.js';
import type { Grant } from '../sessions/grant.js';
import type { TicketStore } from '../tickets/ticket.store.js';

/**
 * Stored grants come before control tickets when a request is authorised, but a request for a control ticket,
 * which this process has itself, must not fail because the store of the grants is away.
 */
export class GrantsBehindTickets implements GrantStore {
  constructor(
    private readonly grants: GrantStore,
    private readonly tickets: Pick<TicketStore, 'info'>,
  ) {}

  async find(transferTicketId: string): Promise<Session | undefined> {
    try {
      return await this.grants.find(transferTicketId);
    } catch (error: unknown) {
      if (error instanceof UnavailableError && (await this.#isTicket(transferTicketId))) return undefined;
      throw error;
    }
  }

  async put(grant: Grant): Promise<Session> {
    return this.grants.put(grant);
  }

  async delete(transferTicketId: string): Promise<boolean> {
    return this.grants.delete(transferTicketId);
  }

  async count(): Promise<number> {
    return this.grants.count();
  }

  async close(): Promise<void> {
    await this.grants.close();
  }

  async #isTicket(id: string): Promise<boolean> {
    try {
      await this.tickets.info(id);
      return true;
    } catch (error: unknown) {
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  }
}
