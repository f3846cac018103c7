import { TransferError } from './failure.js';
import {
  readText,
  refusalOf,
  type HttpAnswer,
  type HttpRequest,
  type HttpTransport,
  type PartRequest,
} from './http.js';

/** How a proxy answers whose session is over, and a daemon that refuses: only trying tells which of them. */
const forbidden = 403;

/** What a session ends with, or begins, is not given up with the request that it is for. */
const never = new AbortController().signal;

/**
 * Requests in a session of a proxy. A proxy that was started again does not know its sessions any more: then
 * another one is opened, with the same signed ticket.
 */
export class SessionTransport implements HttpTransport {
  #sessionId = '';
  #opening: Promise<string> | undefined;

  private constructor(
    private readonly transport: HttpTransport,
    private readonly signedTicket: string,
    private readonly onLeft: (error: unknown) => void,
  ) {}

  /**
   * @param transport to the proxy; it is closed with the session, and when none is opened
   * @param onLeft told when the session could not be ended: it ends by itself, with its ticket
   * @throws TransferError, also when the signed ticket is refused
   */
  static async open(
    transport: HttpTransport,
    signedTicket: string,
    onLeft: (error: unknown) => void,
  ): Promise<SessionTransport> {
    const session = new SessionTransport(transport, signedTicket, onLeft);
    try {
      session.#sessionId = await session.#open();
    } catch (error: unknown) {
      await transport.close();
      throw error;
    }
    return session;
  }

  /** Of the session that is open now: a credential, until it is closed. */
  get sessionId(): string {
    return this.#sessionId;
  }

  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const sessionId = this.#sessionId;
    const answer = await this.#send(request, sessionId, signal);
    if (answer.status !== forbidden) return answer;
    const text = await readText(answer);
    if (await this.#renewed(sessionId)) return this.#send(request, this.#sessionId, signal);
    return { ...answer, body: bodyOf(text) };
  }

  /** A session that is over is found out about by `send`. */
  async receive(request: PartRequest, target: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const part = inSession(request, this.#sessionId);
    return (await this.transport.receive?.(part, target, signal)) ?? false;
  }

  /** Ends the session. It would end by itself, so failing to is told, and is no failure. */
  async close(): Promise<void> {
    try {
      const path = `/sessions/${encodeURIComponent(this.#sessionId)}`;
      const answer = await this.transport.send({ method: 'DELETE', path }, never);
      if (answer.status >= 400) throw await refusalOf(answer);
      await readText(answer);
    } catch (error: unknown) {
      this.onLeft(error);
    }
    await this.transport.close();
  }

  #send(request: HttpRequest, sessionId: string, signal: AbortSignal): Promise<HttpAnswer> {
    return this.transport.send(inSession(request, sessionId), signal);
  }

  /**
   * All requests that were refused in the same session share one attempt.
   * @returns false when the ticket is refused too
   * @throws TransferError when the proxy is away again
   */
  async #renewed(sessionId: string): Promise<boolean> {
    if (this.#sessionId !== sessionId) return true;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    try {
      this.#sessionId = await this.#opening;
      return true;
    } catch (error: unknown) {
      if (error instanceof TransferError && !error.details.retryable) return false;
      throw error;
    }
  }

  async #open(): Promise<string> {
    const headers = { Authorization: this.signedTicket };
    const answer = await this.transport.send({ method: 'POST', path: '/sessions/', headers }, never);
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
