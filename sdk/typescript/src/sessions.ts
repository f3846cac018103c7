import createClient, { type Client } from 'openapi-fetch';
import type { components, paths } from './generated/proxy.js';
import { dataOf } from './service-error.js';
import { ImageClient } from './images.js';
import { Transport, type Endpoint } from './transport.js';

export type Session = components['schemas']['Session'];

/** Sessions of a proxy, for clients that have a ticket which the engine signed. */
export class SessionsClient implements AsyncDisposable {
  readonly #transport: Transport;
  /** The generated client of the proxy, for everything that has no method here. */
  readonly api: Client<paths>;

  constructor(private readonly endpoint: Endpoint) {
    this.#transport = new Transport(endpoint);
    const { fetch, Request } = this.#transport;
    const { baseUrl, headers = {} } = endpoint;
    this.api = createClient<paths>({ baseUrl, headers, fetch, Request });
  }

  /** @throws ImageioError 401 when the signed ticket does not verify */
  async open(signedTicket: string): Promise<Session> {
    return dataOf(await this.api.POST('/sessions', { headers: { Authorization: signedTicket } }));
  }

  /** Ends the session and what is being relayed for it. */
  async delete(sessionId: string): Promise<void> {
    dataOf(await this.api.DELETE('/sessions/{id}', { params: { path: { id: sessionId } } }));
  }

  /** A client of the image that the session is for. */
  image(session: Session, ticketId: string): ImageClient {
    const headers = { ...this.endpoint.headers, 'Session-Id': session.session_id };
    return new ImageClient({ ...this.endpoint, headers }, ticketId);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
