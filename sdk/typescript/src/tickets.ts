import createClient, { type Client } from 'openapi-fetch';
import { follow, type FollowOptions, type TicketsEvent } from './events.js';
import type { components, paths } from './generated/control.js';
import { dataOf } from './service-error.js';
import { Transport, type Endpoint } from './transport.js';

export type Ticket = components['schemas']['Ticket'];
export type TicketInfo = components['schemas']['TicketInfo'];
export type Copy = components['schemas']['Copy'];
export type CopyJob = components['schemas']['Job'];

const noEnds: ReadonlySet<string> = new Set();

/** The tickets API, at the control service of a daemon or a proxy. */
export class TicketsClient implements AsyncDisposable {
  readonly #transport: Transport;
  /** The generated client, for everything that has no method here. */
  readonly api: Client<paths>;

  constructor(endpoint: Endpoint) {
    this.#transport = new Transport(endpoint);
    const { fetch, Request } = this.#transport;
    const { baseUrl, headers = {} } = endpoint;
    this.api = createClient<paths>({ baseUrl, headers, fetch, Request });
  }

  /** All tickets, in the order in which they were added. */
  async list(): Promise<readonly TicketInfo[]> {
    return dataOf(await this.api.GET('/tickets'));
  }

  /**
   * What happens to all tickets, as it happens, until the loop is left, aborted or this client closed:
   * instead of polling. It goes on when the service comes back.
   * @throws ImageioError 404 when the service has no events, 503 when it has no room for one more who follows
   */
  async *events(options: Omit<FollowOptions, 'lastEventId'> = {}): AsyncGenerator<TicketsEvent> {
    for await (const event of follow(this.#transport, '/tickets/events', noEnds, options)) {
      yield event as TicketsEvent;
    }
  }

  /** @throws ImageioError 404 when there is no such ticket */
  async get(id: string): Promise<TicketInfo> {
    return dataOf(await this.api.GET('/tickets/{id}', { params: { path: { id } } }));
  }

  /**
   * The ticket as the text that the service sent: a size may have more digits than a number holds.
   * @throws ImageioError 404 when there is no such ticket
   */
  async getJson(id: string): Promise<string> {
    return dataOf(await this.api.GET('/tickets/{id}', { params: { path: { id } }, parseAs: 'text' }));
  }

  /** Adds the ticket, or replaces an idle one. */
  async put(ticket: Ticket): Promise<void> {
    const answer = await this.api.PUT('/tickets/{id}', {
      params: { path: { id: ticket.uuid } },
      body: ticket,
      parseAs: 'text',
    });
    dataOf(answer);
  }

  /** Makes the ticket expire `timeoutSeconds` from now. */
  async extend(id: string, timeoutSeconds: number): Promise<void> {
    const answer = await this.api.PATCH('/tickets/{id}', {
      params: { path: { id } },
      body: { timeout: timeoutSeconds },
      parseAs: 'text',
    });
    dataOf(answer);
  }

  /** Ends the ticket and what is running of it; afterwards nothing is ever written under it again. */
  async remove(id: string): Promise<void> {
    dataOf(await this.api.DELETE('/tickets/{id}', { params: { path: { id } } }));
  }

  /** Has the daemon copy between two of its tickets. */
  async beginCopy(copy: Copy): Promise<CopyJob> {
    return dataOf(await this.api.POST('/copies', { body: copy }));
  }

  /** The copies, in the order in which they began. */
  async copies(): Promise<readonly CopyJob[]> {
    return dataOf(await this.api.GET('/copies'));
  }

  /** @throws ImageioError 404 when there is no such copy, or not any more */
  async copy(number: number): Promise<CopyJob> {
    return dataOf(await this.api.GET('/copies/{copy}', { params: { path: { copy: number } } }));
  }

  /**
   * Cancels a copy; resolves when nothing of it runs any more.
   * @throws ImageioError 409 while storage does not answer: try again
   */
  async cancelCopy(number: number): Promise<void> {
    dataOf(await this.api.DELETE('/copies/{copy}', { params: { path: { copy: number } } }));
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
