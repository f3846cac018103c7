import { TransferError } from './failure.js';
import type { HttpAnswer, HttpRequest, HttpTransport } from './http.js';

/** `fetch` of the platform, as browsers have it. */
export class FetchTransport implements HttpTransport {
  /**
   * @param baseUrl scheme, host and port
   * @param headers sent with every request, e.g. a session
   */
  constructor(
    private readonly baseUrl: string,
    private readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  async send({ method, path, headers, body }: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const init: RequestInit = { method, headers: { ...this.headers, ...headers }, signal };
    if (body !== undefined) init.body = body as Uint8Array<ArrayBuffer> | string;
    let response: Response;
    try {
      response = await fetch(new URL(path, this.baseUrl), {
        ...init,
        cache: 'no-store',
        credentials: 'omit',
      });
    } catch (error: unknown) {
      signal.throwIfAborted();
      throw new TransferError('The service cannot be reached', { retryable: true }, { cause: error });
    }
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      body: chunksOf(response, signal),
    };
  }

  async close(): Promise<void> {
    // The platform keeps its connections for whoever is next.
  }
}

async function* chunksOf({ body }: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        signal.throwIfAborted();
        throw new TransferError('The answer of the service broke off', { retryable: true }, { cause: error });
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
