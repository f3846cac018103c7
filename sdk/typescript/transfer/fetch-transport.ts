import { TransferError } from './failure.js';
import { silenceSecondsDefault, type HttpAnswer, type HttpRequest, type HttpTransport } from './http.js';

export interface FetchTransportOptions {
  /** Sent with every request, e.g. a session. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * After so long without an answer, or without more of it, the service is taken for gone. The platform does
   * not tell how far it has sent a body, so that has to be sent in this time.
   */
  readonly silenceSeconds?: number;
}

/** `fetch` of the platform, as browsers have it. */
export class FetchTransport implements HttpTransport {
  /** @param baseUrl scheme, host and port */
  constructor(
    private readonly baseUrl: string,
    private readonly options: FetchTransportOptions = {},
  ) {}

  async send({ method, path, headers, body }: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const silence = new Silence(this.options.silenceSeconds ?? silenceSecondsDefault);
    const init: RequestInit = {
      method,
      headers: { ...this.options.headers, ...headers },
      signal: AbortSignal.any([signal, silence.signal]),
      cache: 'no-store',
      credentials: 'omit',
    };
    if (body !== undefined) init.body = body as Uint8Array<ArrayBuffer> | string;
    let response: Response;
    try {
      response = await fetch(new URL(path, this.baseUrl), init);
    } catch (error: unknown) {
      silence.end();
      signal.throwIfAborted();
      if (silence.signal.aborted) throw silence.signal.reason;
      throw new TransferError('The service cannot be reached', { retryable: true }, { cause: error });
    }
    silence.begin();
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      body: chunksOf(response, signal, silence),
    };
  }

  async close(): Promise<void> {
    // The platform keeps its connections for whoever is next.
  }
}

async function* chunksOf(
  { body }: Response,
  signal: AbortSignal,
  silence: Silence,
): AsyncGenerator<Uint8Array> {
  if (body === null) {
    silence.end();
    return;
  }
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        signal.throwIfAborted();
        if (silence.signal.aborted) throw silence.signal.reason;
        throw new TransferError('The answer of the service broke off', { retryable: true }, { cause: error });
      });
      if (done) return;
      // Nothing is asked for while whoever reads is busy.
      silence.end();
      yield value;
      silence.begin();
    }
  } finally {
    silence.end();
    await reader.cancel().catch(() => undefined);
  }
}

/** Aborts when it is not ended, or begun anew, for so long. */
class Silence {
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly seconds: number) {
    this.begin();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  begin(): void {
    this.end();
    this.#timer = setTimeout(() => {
      const message = `The service was silent for ${this.seconds} seconds`;
      this.#controller.abort(new TransferError(message, { retryable: true }));
    }, this.seconds * 1000);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
