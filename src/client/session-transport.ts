import { NodeTransport, type NodeTransportOptions } from '#sdk';
import {
  TransferError,
  type HttpAnswer,
  type HttpRequest,
  type HttpTransport,
  type PartRequest,
} from '#sdk/transfer';
import { readText, refusalOf } from '#sdk/transfer/http';
import { errorMessage } from '../base/error-details.js';
import { never } from './never.js';

/** How a proxy answers whose session is over, and a daemon that refuses: only trying tells which of them. */
const forbidden = 403;

/**
 * Requests in a session of a proxy. A proxy that was started again does not know its sessions any more: then
 * another one is opened, with the same signed ticket.
 */
export class SessionTransport implements HttpTransport {
  readonly #transport: NodeTransport;
  #opening: Promise<string> | undefined;

  private constructor(
    endpoint: NodeTransportOptions,
    private readonly signedTicket: string,
    private sessionId: string,
  ) {
    this.#transport = new NodeTransport(endpoint);
  }

  /** @throws TransferError, also when the signed ticket is refused */
  static async open(endpoint: NodeTransportOptions, signedTicket: string): Promise<SessionTransport> {
    const transport = new SessionTransport(endpoint, signedTicket, '');
    try {
      transport.sessionId = await transport.#open();
    } catch (error: unknown) {
      await transport.#transport.close();
      throw error;
    }
    return transport;
  }

  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { sessionId } = this;
    const answer = await this.#send(request, sessionId, signal);
    if (answer.status !== forbidden) return answer;
    const text = await readText(answer);
    if (await this.#renewed(sessionId)) return this.#send(request, this.sessionId, signal);
    return { ...answer, body: bodyOf(text) };
  }

  /** A session that is over is found out about by `send`. */
  receive(request: PartRequest, target: Uint8Array, signal: AbortSignal): Promise<boolean> {
    return this.#transport.receive(inSession(request, this.sessionId), target, signal);
  }

  /** Ends the session. It would end by itself, so failing to is told, and is no failure. */
  async close(): Promise<void> {
    try {
      const path = `/sessions/${encodeURIComponent(this.sessionId)}`;
      const answer = await this.#transport.send({ method: 'DELETE', path }, never);
      if (answer.status >= 400) throw await refusalOf(answer);
      await readText(answer);
    } catch (error: unknown) {
      process.stderr.write(`imageio: The session is left to end by itself: ${errorMessage(error)}\n`);
    }
    await this.#transport.close();
  }

  #send(request: HttpRequest, sessionId: string, signal: AbortSignal): Promise<HttpAnswer> {
    return this.#transport.send(inSession(request, sessionId), signal);
  }

  /**
   * All requests that were refused in the same session share one attempt.
   * @returns false when the ticket is refused too
   * @throws TransferError when the proxy is away again
   */
  async #renewed(sessionId: string): Promise<boolean> {
    if (this.sessionId !== sessionId) return true;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    try {
      this.sessionId = await this.#opening;
      return true;
    } catch (error: unknown) {
      if (error instanceof TransferError && !error.details.retryable) return false;
      throw error;
    }
  }

  async #open(): Promise<string> {
    const headers = { Authorization: this.signedTicket };
    const answer = await this.#transport.send({ method: 'POST', path: '/sessions/', headers }, never);
    if (answer.status >= 300) throw await refusalOf(answer);
    const { session_id: id } = JSON.parse(await readText(answer)) as { session_id: string };
    return id;
  }
}

function inSession<R extends PartRequest>(request: R, sessionId: string): R {
  return { ...request, headers: { ...request.headers, 'Session-Id': sessionId } };
}

async function* bodyOf(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}
