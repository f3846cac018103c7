import { NodeTransport } from '#sdk';
import { TransferError, type HttpAnswer, type HttpRequest } from '#sdk/transfer';
import { readText } from '#sdk/transfer/http';
import { Retrier, type RetryOptions } from '#sdk/transfer/retry';

/** Where an engine is and who asks. */
export interface EngineAccess {
  /** `https://HOST:PORT` of the engine. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** PEM of the authority that its certificate, and those of hosts and proxy, are verified with. */
  readonly ca: string | undefined;
  /** Takes any certificate. */
  readonly insecure: boolean;
  /** How often in a row the engine may be asked in vain. */
  readonly retriesMax: number;
}

/** An engine that says nothing for so long does not answer any more; its slowest answers take seconds. */
const silenceSeconds = 120;

/**
 * Speaks JSON with the API of an engine (version 4), with a token that is asked for when the first request
 * is sent and again when it has expired.
 */
export class EngineConnection {
  readonly #transport: NodeTransport;
  readonly #retryOptions: RetryOptions;
  readonly #retrier: Retrier;
  #token: string | undefined;

  /** @param onRetry told of each failure that is tried again, and how long that waits */
  constructor(
    private readonly access: EngineAccess,
    onRetry?: (error: TransferError, delaySeconds: number) => void,
  ) {
    const { url, ca, insecure, retriesMax } = access;
    this.#transport = new NodeTransport({
      baseUrl: url,
      insecure,
      silenceSeconds,
      ...(ca === undefined ? {} : { ca }),
    });
    this.#retryOptions = { retriesMax, onRetry };
    this.#retrier = new Retrier(this.#retryOptions);
  }

  /**
   * Sends what may be sent twice, again after failures that pass.
   * @param path below `/ovirt-engine/api`
   * @returns the answer's JSON
   * @throws TransferError in the engine's words, with its status
   */
  async send(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    signal: AbortSignal,
    body?: object,
  ): Promise<unknown> {
    return this.#retrier.run(signal, () => this.#sendOnce(method, path, signal, body));
  }

  /**
   * Makes something, of which there must not be two.
   * @param find looks whether it is there, after an answer that did not come
   * @throws TransferError as `send`
   */
  async create<T>(
    path: string,
    body: object,
    found: { readonly of: (answer: unknown) => T; readonly find: () => Promise<T | undefined> },
    signal: AbortSignal,
  ): Promise<T> {
    let mayBeThere = false;
    // One of its own: what is found out in between is no progress.
    return new Retrier(this.#retryOptions).run(signal, async () => {
      const there = mayBeThere ? await found.find() : undefined;
      if (there !== undefined) return there;
      // Who the user is may be found out as often as it takes.
      await this.#retrier.run(signal, () => this.#authorization(signal));
      mayBeThere = true;
      return found.of(await this.#sendOnce('POST', path, signal, body));
    });
  }

  /** Gives the token back. Whether the engine hears of it makes no difference to whoever asked. */
  async close(signal: AbortSignal): Promise<void> {
    try {
      if (this.#token !== undefined)
        await readText(await this.#post('/ovirt-engine/services/sso-logout', { token: this.#token }, signal));
    } catch {
      // It expires by itself.
    }
    await this.#transport.close();
  }

  async #sendOnce(
    method: HttpRequest['method'],
    path: string,
    signal: AbortSignal,
    body: object | undefined,
  ): Promise<unknown> {
    const request: HttpRequest = {
      method,
      path: `/ovirt-engine/api${path}`,
      headers: { Accept: 'application/json', 'Content-Type': 'application/json', Version: '4' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    const answer = await this.#authorized(request, signal);
    const text = await readText(answer);
    if (answer.status >= 300) throw refusal(answer.status, text);
    return text.trim() === '' ? {} : jsonOf(text);
  }

  async #authorized(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    for (let attempt = 0; ; attempt += 1) {
      const token = await this.#authorization(signal);
      const headers = { ...request.headers, Authorization: `Bearer ${token}` };
      const answer = await this.#transport.send({ ...request, headers }, signal);
      if (answer.status !== 401 || attempt > 0) return answer;
      // It has expired.
      await readText(answer);
      if (this.#token === token) this.#token = undefined;
    }
  }

  async #authorization(signal: AbortSignal): Promise<string> {
    if (this.#token !== undefined) return this.#token;
    const { username, password } = this.access;
    const form = { grant_type: 'password', username, password };
    const answer = await this.#post('/ovirt-engine/sso/oauth/token', form, signal);
    const text = await readText(answer);
    if (answer.status >= 500) throw refusal(answer.status, text);
    const told = jsonOf(text) as Partial<Record<'access_token' | 'error' | 'error_description', unknown>>;
    if (typeof told.access_token !== 'string') {
      const words = told.error_description ?? told.error;
      throw new TransferError(`The engine does not let ${username} in: ${String(words)}`, {
        status: answer.status,
        retryable: false,
      });
    }
    this.#token = told.access_token;
    return told.access_token;
  }

  #post(path: string, form: Record<string, string>, signal: AbortSignal): Promise<HttpAnswer> {
    const body = new URLSearchParams({ ...form, scope: 'ovirt-app-api' }).toString();
    const headers = { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' };
    return this.#transport.send({ method: 'POST', path, headers, body }, signal);
  }
}

/** What the engine refuses, in its words where it has any: `{"reason", "detail"}`. */
function refusal(status: number, text: string): TransferError {
  const { reason, detail } = faultOf(text);
  const words = [reason, detail].filter((part) => typeof part === 'string').join(': ');
  return new TransferError(
    words === '' ? `The engine answered with status ${status}` : `The engine refused: ${words}`,
    { status, retryable: status === 408 || status === 429 || status >= 500 },
  );
}

function faultOf(text: string): { readonly reason?: unknown; readonly detail?: unknown } {
  try {
    return (JSON.parse(text) as { reason?: unknown; detail?: unknown } | null) ?? {};
  } catch {
    // A page of the web server in front of it.
    return {};
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error: unknown) {
    throw new TransferError(
      'What answers is no engine: it does not speak JSON',
      { retryable: false },
      { cause: error },
    );
  }
}
