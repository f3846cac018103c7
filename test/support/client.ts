import { Agent as HttpAgent, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions } from 'node:https';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MiB, type ByteRange } from '../../src/base/units.js';
import { connectOptions, type Address } from './address.js';
import { exchange, openExchange, wholeAnswer, type Answer } from './exchange.js';

/** What OPTIONS /images/{id} tells. */
export interface ImageCapabilities {
  readonly unix_socket?: string;
  readonly features: readonly string[];
  readonly extensions?: readonly string[];
  readonly max_readers?: number;
  readonly max_writers?: number;
}

export interface WireExtent {
  readonly start: number;
  readonly length: number;
  readonly zero: boolean;
  readonly hole?: boolean;
  readonly dirty?: boolean;
}

export interface UploadOptions {
  /** Bytes of each PUT; the whole rest in one when absent. */
  readonly chunkBytes?: number;
  /** Where to begin, in file and image: how an upload is resumed. Default 0. */
  readonly fromBytes?: number;
  /** Whether each PUT makes the data stable; when false a flush follows the last one. Default false. */
  readonly flushEach?: boolean;
  /** Sends `Expect: 100-continue` and waits for the verdict before each body. */
  readonly expectContinue?: boolean;
}

export interface ClientOptions {
  /** Sent with every request, e.g. `Authorization` or `Session-Id`; or those for the path of a request. */
  readonly headers?: OutgoingHttpHeaders | ((path: string) => OutgoingHttpHeaders);
  /** Added to every request's query, e.g. `session_id=…`. */
  readonly query?: string;
  readonly connectionsMax?: number;
}

interface RequestDetails {
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Readable | Uint8Array | string;
  readonly expectContinue?: boolean;
  /** For requests whose answer comes only after a long body. */
  readonly deadlineMs?: number;
}

/** The answer had another status than the client can go on with. */
export class UnexpectedStatusError extends Error {
  constructor(
    readonly answer: Answer,
    what: string,
  ) {
    super(
      `${what} was answered with ${answer.status} ${answer.reason}: ${answer.text.slice(0, 500).trimEnd()}`,
    );
    this.name = 'UnexpectedStatusError';
  }
}

/**
 * An images client with keep-alive connections over TLS, TCP or a unix socket: works at
 * the daemon and at the proxy.
 */
export class ImagesClient {
  private readonly agent: HttpAgent;

  constructor(
    private readonly address: Address,
    private readonly options: ClientOptions = {},
  ) {
    const agentOptions = { keepAlive: true, maxSockets: options.connectionsMax ?? 8 };
    this.agent = address.kind === 'tls' ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  }

  async capabilities(ticketId: string): Promise<ImageCapabilities> {
    const answer = await this.expect(200, 'OPTIONS', imagePath(ticketId));
    return JSON.parse(answer.text) as ImageCapabilities;
  }

  /** Uploads a file, range by range, and leaves it flushed. */
  async upload(ticketId: string, file: string, options: UploadOptions = {}): Promise<void> {
    const { size: sizeBytes } = await stat(file);
    const flushEach = options.flushEach ?? false;
    let offsetBytes = options.fromBytes ?? 0;
    do {
      const lengthBytes = Math.min(options.chunkBytes ?? Number.MAX_SAFE_INTEGER, sizeBytes - offsetBytes);
      const body =
        lengthBytes === 0
          ? new Uint8Array()
          : createReadStream(file, {
              start: offsetBytes,
              end: offsetBytes + lengthBytes - 1,
              highWaterMark: MiB,
            });
      const range = { offsetBytes, lengthBytes };
      await this.put(ticketId, body, range, flushEach, options.expectContinue ?? false);
      offsetBytes += lengthBytes;
    } while (offsetBytes < sizeBytes);
    if (!flushEach) await this.flush(ticketId);
  }

  async write(ticketId: string, bytes: Uint8Array, offsetBytes: number, flush = false): Promise<void> {
    await this.put(ticketId, bytes, { offsetBytes, lengthBytes: bytes.length }, flush, false);
  }

  /** Downloads into a file; with `fromBytes` appends the rest to what the file has already. */
  async download(ticketId: string, file: string, fromBytes?: number): Promise<void> {
    const response = await this.open('GET', imagePath(ticketId), {
      headers: fromBytes === undefined ? {} : { Range: `bytes=${fromBytes}-` },
    });
    const expected = fromBytes === undefined ? 200 : 206;
    if (response.statusCode !== expected) {
      throw new UnexpectedStatusError(await wholeAnswer(response), 'A download');
    }
    await pipeline(response, createWriteStream(file, { flags: fromBytes === undefined ? 'w' : 'a' }));
  }

  async read(ticketId: string, range: ByteRange): Promise<Buffer> {
    const last = range.offsetBytes + range.lengthBytes - 1;
    const headers = { Range: `bytes=${range.offsetBytes}-${last}` };
    return (await this.expect(206, 'GET', imagePath(ticketId), { headers })).body;
  }

  async zero(ticketId: string, range: ByteRange, flush = false): Promise<void> {
    const operation = { op: 'zero', offset: range.offsetBytes, size: range.lengthBytes, flush };
    await this.expect(200, 'PATCH', imagePath(ticketId), { body: JSON.stringify(operation) });
  }

  async flush(ticketId: string): Promise<void> {
    await this.expect(200, 'PATCH', imagePath(ticketId), { body: JSON.stringify({ op: 'flush' }) });
  }

  async extents(ticketId: string, context: 'zero' | 'dirty' = 'zero'): Promise<WireExtent[]> {
    const answer = await this.expect(200, 'GET', `${imagePath(ticketId)}/extents?context=${context}`);
    return JSON.parse(answer.text) as WireExtent[];
  }

  /** @returns the checksum in hex */
  async checksum(ticketId: string, algorithm = 'blake2b'): Promise<string> {
    const answer = await this.expect(200, 'GET', `${imagePath(ticketId)}/checksum?algorithm=${algorithm}`);
    return (JSON.parse(answer.text) as { checksum: string }).checksum;
  }

  /** Sends any request and returns the whole answer, whatever its status. */
  async request(method: string, path: string, details: RequestDetails = {}): Promise<Answer> {
    return exchange({ ...details, tls: this.tls, options: this.requestOptions(method, path, details) });
  }

  /**
   * Sends any request and returns the response when its head is there: for reading
   * slowly, partly, or not at all.
   */
  async open(method: string, path: string, details: RequestDetails = {}): Promise<IncomingMessage> {
    return openExchange({ ...details, tls: this.tls, options: this.requestOptions(method, path, details) });
  }

  /** Closes the kept connections. */
  close(): void {
    this.agent.destroy();
  }

  private get tls(): boolean {
    return this.address.kind === 'tls';
  }

  private async put(
    ticketId: string,
    body: Readable | Uint8Array,
    range: ByteRange,
    flush: boolean,
    expectContinue: boolean,
  ): Promise<void> {
    const last = range.offsetBytes + range.lengthBytes - 1;
    const headers = {
      'Content-Type': 'application/octet-stream',
      'Content-Length': range.lengthBytes,
      // An empty range has no last byte to name.
      ...(range.lengthBytes === 0 ? {} : { 'Content-Range': `bytes ${range.offsetBytes}-${last}/*` }),
      ...(expectContinue ? { Expect: '100-continue' } : {}),
    };
    const path = `${imagePath(ticketId)}?flush=${flush ? 'y' : 'n'}`;
    await this.expect(200, 'PUT', path, { headers, body, expectContinue });
  }

  private async expect(
    status: number,
    method: string,
    path: string,
    details: RequestDetails = {},
  ): Promise<Answer> {
    const answer = await this.request(method, path, details);
    if (answer.status !== status) throw new UnexpectedStatusError(answer, `${method} ${path}`);
    return answer;
  }

  private requestOptions(method: string, path: string, details: RequestDetails): RequestOptions {
    const { query, headers } = this.options;
    const separator = path.includes('?') ? '&' : '?';
    const length =
      typeof details.body === 'string' || details.body instanceof Uint8Array
        ? { 'Content-Length': Buffer.byteLength(details.body) }
        : {};
    return {
      ...connectOptions(this.address),
      agent: this.agent,
      method,
      path: query === undefined ? path : `${path}${separator}${query}`,
      headers: {
        ...length,
        ...(typeof headers === 'function' ? headers(path) : headers),
        ...details.headers,
      },
    };
  }
}

/** The path of a ticket's image. */
export function imagePath(ticketId: string): string {
  return `/images/${encodeURIComponent(ticketId)}`;
}
