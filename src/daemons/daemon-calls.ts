import { request as startRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as startSecureRequest } from 'node:https';
import { StorageError } from '../base/errors.js';
import type { DaemonAgents, OwnConnections } from './daemon-agents.js';
import { daemonFailureKind, type DaemonFailureObserver } from './daemon-failure.js';
import { daemonRefusal } from './daemon-refusal.js';
import type { DaemonTimeouts } from './daemon-timeouts.js';
import { RunningCall } from './running-call.js';
import type { DaemonTarget } from './ticket-url.js';

export interface DaemonCall {
  readonly method: 'GET' | 'HEAD' | 'OPTIONS' | 'PUT' | 'PATCH';
  /** What follows the path of the image: a sub-resource, a query. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of a PUT or PATCH. It is not changed before the call has ended. */
  readonly body?: Uint8Array;
}

export interface DaemonCallsOptions {
  readonly agents: DaemonAgents;
  readonly timeouts: DaemonTimeouts;
  readonly failures?: DaemonFailureObserver | undefined;
}

/** Signs of life that a daemon is asked for in the time that it may be silent: one or two may come late. */
const signsPerTimeout = 3;

/**
 * Calls another daemon for one image, over connections that are for it alone. Any number of calls may run.
 * None is ever repeated by itself (docs/protocol.md, "No silent repetition").
 */
export class DaemonCalls {
  readonly #connections: OwnConnections;
  readonly #commonHeaders: Readonly<Record<string, string>>;
  readonly #running = new Set<Promise<unknown>>();
  /** Those that run and change nothing. */
  readonly #readings = new Set<RunningCall>();
  #closed = false;

  constructor(
    readonly image: DaemonTarget,
    private readonly options: DaemonCallsOptions,
  ) {
    this.#connections = options.agents.own(image.origin.protocol);
    const seconds = Math.floor(options.timeouts.readTimeoutSeconds / signsPerTimeout);
    this.#commonHeaders = { 'Processing-Interval': String(Math.max(1, seconds)) };
  }

  /**
   * @param use takes the body of an answer that is no refusal, and calls `heard` with each piece of it. What
   *   it leaves is dropped with the connection
   * @throws what the daemon refuses it with; BadGatewayError, UnavailableError or GatewayTimeoutError when it
   *   fails; StorageError after `close`; what `use` throws
   */
  async ask<T>(
    call: DaemonCall,
    use: (answer: IncomingMessage, heard: () => void) => Promise<T>,
  ): Promise<T> {
    if (this.#closed) throw new StorageError('The image has been closed');
    const result = this.#ask(call, use);
    this.#running.add(result);
    try {
      return await result;
    } catch (error: unknown) {
      const kind = daemonFailureKind(error);
      if (kind !== undefined) this.options.failures?.daemonFailed(kind);
      throw error;
    } finally {
      this.#running.delete(result);
    }
  }

  /** Cuts the calls that change nothing: what becomes of the others only the daemon knows. */
  abandon(): void {
    for (const call of this.#readings) call.cut(new StorageError('The request was given up'));
  }

  /** Closes the connections after the calls in flight have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#running);
    this.#connections.close();
  }

  async #ask<T>(
    call: DaemonCall,
    use: (answer: IncomingMessage, heard: () => void) => Promise<T>,
  ): Promise<T> {
    const running = new RunningCall(this.#start(call), call.body, this.options.timeouts);
    if (call.method !== 'PUT' && call.method !== 'PATCH') this.#readings.add(running);
    try {
      const answer = await running.answer;
      const { statusCode = 0 } = answer;
      if (statusCode < 200 || statusCode > 299) throw await daemonRefusal(answer, this.image);
      return await use(answer, () => {
        running.heard();
      });
    } catch (error: unknown) {
      throw running.failure(error);
    } finally {
      this.#readings.delete(running);
      running.end();
    }
  }

  #start({ method, path = '', headers, body }: DaemonCall): ClientRequest {
    const { origin, path: imagePath } = this.image;
    const start = origin.protocol === 'https:' ? startSecureRequest : startRequest;
    return start({
      agent: this.#connections.agent,
      // Node wants IPv6 addresses as they are, without the brackets of a URL.
      host: origin.hostname.replace(/^\[|\]$/g, ''),
      port: Number(origin.port || (origin.protocol === 'https:' ? 443 : 80)),
      method,
      path: imagePath + path,
      headers: {
        ...this.#commonHeaders,
        ...headers,
        ...(body === undefined ? {} : { 'Content-Length': String(body.length) }),
      },
    });
  }
}
