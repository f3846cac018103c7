import { ImageioError, NodeTransport, SessionsClient, type NodeTransportOptions } from '#sdk';
import { TransferError, type HttpAnswer, type HttpRequest, type HttpTransport } from '#sdk/transfer';
import { readText } from '#sdk/transfer/http';
import { errorMessage } from '../base/error-details.js';

/** How a proxy answers whose session is over, and a daemon that refuses: only trying tells which of them. */
const forbidden = 403;

/**
 * Requests in a session of a proxy. A proxy that was started again does not know its sessions any more: then
 * another one is opened, with the same signed ticket.
 */
export class SessionTransport implements HttpTransport {
  readonly #sessions: SessionsClient;
  readonly #transport: NodeTransport;
  #opening: Promise<string> | undefined;

  private constructor(
    endpoint: NodeTransportOptions,
    private readonly signedTicket: string,
    private sessionId: string,
  ) {
    this.#sessions = new SessionsClient(endpoint);
    this.#transport = new NodeTransport(endpoint);
  }

  /** @throws ImageioError when the signed ticket is refused */
  static async open(endpoint: NodeTransportOptions, signedTicket: string): Promise<SessionTransport> {
    const transport = new SessionTransport(endpoint, signedTicket, '');
    try {
      transport.sessionId = await transport.#open();
    } catch (error: unknown) {
      await transport.#sessions.close();
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

  /** Ends the session. It would end by itself, so failing to is told, and is no failure. */
  async close(): Promise<void> {
    await this.#transport.close();
    try {
      await this.#sessions.delete(this.sessionId);
    } catch (error: unknown) {
      process.stderr.write(`imageio: The session is left to end by itself: ${errorMessage(error)}\n`);
    }
    await this.#sessions.close();
  }

  #send(request: HttpRequest, sessionId: string, signal: AbortSignal): Promise<HttpAnswer> {
    const headers = { ...request.headers, 'Session-Id': sessionId };
    return this.#transport.send({ ...request, headers }, signal);
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
      if (error instanceof ImageioError && error.status < 500) return false;
      throw new TransferError('The proxy opens no session', { retryable: true }, { cause: error });
    }
  }

  async #open(): Promise<string> {
    return (await this.#sessions.open(this.signedTicket)).session_id;
  }
}

async function* bodyOf(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}
