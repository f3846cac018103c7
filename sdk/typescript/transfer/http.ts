import { TransferError } from './failure.js';

/** A request to a service. */
export interface HttpRequest {
  readonly method: 'OPTIONS' | 'HEAD' | 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** A request for a part of an image: a GET, with its `Range` among the headers. */
export type PartRequest = Pick<HttpRequest, 'path' | 'headers'>;

/** The answer, whose body has to be read to its end, or be cancelled. */
export interface HttpAnswer {
  readonly status: number;
  header(name: string): string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Keep-alive connections to one service, as many as there are requests at once. */
export interface HttpTransport {
  /** @throws TransferError, retryable, when there is no answer; the reason of `signal` */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
  /**
   * Gets a part of an image straight into memory. A transport without it has its bodies copied there.
   * @param request for as much as `target` is long
   * @returns false when the service answers with anything else than that: `send` then tells what it says
   * @throws as `send`; nothing is written to `target` any more then
   */
  receive?(request: PartRequest, target: Uint8Array, signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

/** A service may be silent for so long: more than it takes to do what one request asks for. */
export const silenceSecondsDefault = 600;

/**
 * Whether a part of an image is the one that was asked for (RFC 9110 section 15.3.7).
 * @param range that was asked for, e.g. `bytes=0-4095`
 * @param contentRange of the answer; a service that sends none is believed
 */
export function isPartOf(range: string, contentRange: string | undefined): boolean {
  return contentRange === undefined || contentRange.startsWith(`${range.replace('=', ' ')}/`);
}

const textBytesMax = 16 * 2 ** 20;

/** Reads a whole body that is text. */
export async function readText({ body }: HttpAnswer): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > textBytesMax) throw new Error('The service answered with too long a text');
  }
  return text + decoder.decode();
}

/** Storage that is full (507) stays so, and a service does not learn what it cannot do (501, 505). */
const lasting = [501, 505, 507];

function mayPass(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && !lasting.includes(status));
}

/**
 * What a refusal means to a transfer, in the words of the service.
 * @param wasGranted the same was allowed before: a ticket that has expired may be extended, and one that a
 *   service has lost when it was started again may be added again
 */
export async function refusalOf(answer: HttpAnswer, wasGranted = false): Promise<TransferError> {
  const { status } = answer;
  const text = (await readText(answer)).trim();
  const retryAfter = Number(answer.header('retry-after') ?? NaN);
  return new TransferError(text === '' ? `The service answered with status ${status}` : text, {
    status,
    retryable: mayPass(status) || (wasGranted && (status === 401 || status === 403)),
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
  });
}
