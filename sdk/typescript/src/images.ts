import type { Readable } from 'node:stream';
import createClient, { type Client } from 'openapi-fetch';
import { follow, type FollowOptions, type ImageEvent, type JobEvent } from './events.js';
import { digestOfBody, verify, type ContentDigest, type DigestAlgorithm } from './content-digest.js';
import type { components, paths } from './generated/daemon.js';
import { jsonEntries } from '../transfer/json-entries.js';
import { dataOf, refusalOf } from './service-error.js';
import { Transport, type Endpoint } from './transport.js';

export type ImageOptions = components['schemas']['ImageOptions'];
export type Extent = components['schemas']['Extent'];
export type Checksum = components['schemas']['Checksum'];
export type BlockDigest = components['schemas']['BlockDigest'];
export type Receipt = components['schemas']['Receipt'];
export type ReceiptClaims = components['schemas']['ReceiptClaims'];
export type ReceivedRanges = components['schemas']['ReceivedRanges'];
export type Preflight = components['schemas']['Preflight'];
export type Job = components['schemas']['Job'];

/** A part of an image. */
export interface ByteRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export interface UploadOptions extends ByteRange {
  /** Resolve only when the data is on stable storage. Default true. */
  readonly flush?: boolean;
  /**
   * Has the service verify what arrives, by the digest of the body: of bytes by this algorithm, of a stream
   * as it is given. A body that was damaged on its way is refused with 400, and nothing of it counts. A
   * service that does not have `content-digest` among its `extensions` verifies nothing.
   */
  readonly contentDigest?: DigestAlgorithm | ContentDigest;
  readonly signal?: AbortSignal;
}

export interface VerifiedReadOptions {
  /** Default `sha-256`. */
  readonly algorithm?: DigestAlgorithm;
  readonly signal?: AbortSignal;
}

/** Which extents, and how many of them at once. */
export interface ExtentPagesOptions {
  readonly context?: 'zero' | 'dirty';
  readonly range?: ByteRange;
  /** Extents of a page, at most 10 000. */
  readonly limit?: number;
}

/** What a transfer is to be; by default all that the ticket allows. */
export interface PreflightOptions {
  readonly op?: 'read' | 'write';
  readonly sizeBytes?: number;
  /** Format of the data, such as `raw`, the default, or `qcow2`. */
  readonly format?: string;
}

/** How blocks are hashed. */
export interface BlockOptions {
  /** One that `/images/{id}/checksum/algorithms` lists. Default blake2b. */
  readonly algorithm?: string;
  /** A multiple of 4096 from 1 MiB to 16 MiB. Default 4 MiB. */
  readonly blockSizeBytes?: number;
}

export interface ChecksumOptions extends BlockOptions {
  /** What the checksum has to be, in hex. */
  readonly expect?: string;
}

export interface DigestsOptions extends BlockOptions {
  /** Begins with a block; the last block of it may be shorter. Default the whole image. */
  readonly range?: ByteRange;
  readonly signal?: AbortSignal;
}

/**
 * One image, at a daemon or, with a session, at a proxy. Requests may run at once, on connections of their
 * own; how many are of use `options` tells.
 */
export class ImageClient implements AsyncDisposable {
  readonly #transport: Transport;
  /** The generated client, for everything that has no method here. */
  readonly api: Client<paths>;

  /**
   * @param ticketId the ticket, whose id is the permission; at a proxy `headers` of the endpoint has a
   * `Session-Id`
   */
  constructor(
    endpoint: Endpoint,
    readonly ticketId: string,
  ) {
    this.#transport = new Transport(endpoint);
    const { fetch, Request } = this.#transport;
    const { baseUrl, headers = {} } = endpoint;
    this.api = createClient<paths>({ baseUrl, headers, fetch, Request });
  }

  /** What can be done with the image. */
  async options(): Promise<ImageOptions> {
    return dataOf(await this.api.OPTIONS('/images/{id}', this.#id));
  }

  /** Bytes that a download of the whole image has. */
  async size(): Promise<number> {
    const { response } = await this.api.HEAD('/images/{id}', this.#id);
    if (!response.ok) throw refusalOf(response.status, undefined);
    return Number(response.headers.get('content-length'));
  }

  /**
   * Streams the image, or a range of it. A stream that ends with an error was cut: read the rest again.
   * @throws ImageioError 416 when the range is outside of the image
   */
  async download(range?: ByteRange, signal?: AbortSignal): Promise<Readable> {
    const headers = range === undefined ? {} : { Range: `bytes=${bounds(range)}` };
    const answer = await this.#transport.send(this.#path, { method: 'GET', headers, signal: signal ?? null });
    if (answer.statusCode === (range === undefined ? 200 : 206)) return answer.body;
    throw refusalOf(answer.statusCode, await answer.body.text());
  }

  /**
   * Reads a range into memory, and verifies it by the digest that the service has computed of what it read.
   * @param range of at most 8 MiB, or what the service is configured to
   * @throws IntegrityError when something else came: read it again; also when the service tells no digest,
   *   which `want-content-digest` among its `extensions` shows. ImageioError
   */
  async readVerified(range: ByteRange, options: VerifiedReadOptions = {}): Promise<Uint8Array> {
    const { algorithm = 'sha-256', signal = null } = options;
    const headers = { Range: `bytes=${bounds(range)}`, 'Want-Content-Digest': `${algorithm}=10` };
    const answer = await this.#transport.send(this.#path, { method: 'GET', headers, signal });
    if (answer.statusCode !== 206) throw refusalOf(answer.statusCode, await answer.body.text());
    const data = new Uint8Array(await answer.body.arrayBuffer());
    await verify(data, [answer.headers['content-digest']].flat()[0], algorithm);
    return data;
  }

  /**
   * Streams `body` into a range of the image, of exactly its length.
   * @throws ImageioError; after a broken connection nothing is known of the range: upload it again
   */
  async upload(body: Readable | Uint8Array, options: UploadOptions): Promise<void> {
    const { lengthBytes, flush = true, contentDigest, signal } = options;
    const answer = await this.#transport.send(`${this.#path}?flush=${flush ? 'y' : 'n'}`, {
      method: 'PUT',
      headers: {
        'Content-Type': 'application/octet-stream',
        'Content-Length': String(lengthBytes),
        // An empty range has no last byte to name.
        ...(lengthBytes === 0 ? {} : { 'Content-Range': `bytes ${bounds(options)}/*` }),
        ...(contentDigest === undefined ? {} : { 'Content-Digest': digestOfBody(body, contentDigest) }),
      },
      body,
      signal: signal ?? null,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw refusalOf(answer.statusCode, text);
  }

  /** Makes a range read as zeroes. */
  async zero({ offsetBytes, lengthBytes }: ByteRange, flush = false): Promise<void> {
    await this.#patch({ op: 'zero', offset: offsetBytes, size: lengthBytes, flush });
  }

  /** Resolves when everything that was written is on stable storage. */
  async flush(): Promise<void> {
    await this.#patch({ op: 'flush' });
  }

  /** Which parts are data, zero or dirty; the lengths add up to the size of the image. */
  async extents(context: 'zero' | 'dirty' = 'zero'): Promise<readonly Extent[]> {
    const { path } = this.#id.params;
    const answer = await this.api.GET('/images/{id}/extents', { params: { path, query: { context } } });
    return extentsOf(dataOf(answer));
  }

  /**
   * The extents page by page, so that of a list of millions only a page is in memory. Extents at the border
   * of two pages may be alike.
   * @throws ImageioError
   */
  async *extentPages({ context = 'zero', range, limit = 1000 }: ExtentPagesOptions = {}): AsyncGenerator<
    readonly Extent[]
  > {
    const { path } = this.#id.params;
    const endBytes = range === undefined ? undefined : range.offsetBytes + range.lengthBytes;
    let start: number | undefined = range?.offsetBytes ?? 0;
    while (start !== undefined) {
      const length = endBytes === undefined ? {} : { length: endBytes - start };
      const query = { context, start, limit, ...length };
      const answer = await this.api.GET('/images/{id}/extents', { params: { path, query } });
      yield extentsOf(dataOf(answer));
      const next = nextPageStart(answer.response.headers.get('link'));
      start = next !== undefined && next > start ? next : undefined;
    }
  }

  /**
   * @param options or the algorithm
   * @throws ImageioError 409 when the checksum is not what was expected: `eachDigest` finds where
   */
  async checksum(options: string | ChecksumOptions = {}): Promise<Checksum> {
    const { path } = this.#id.params;
    const params = { path, query: checksumQuery(options) };
    // Without the preference the answer is no job.
    return dataOf(await this.api.GET('/images/{id}/checksum', { params })) as Checksum;
  }

  /**
   * Has the checksum computed as a job, which goes on when this client leaves. One that is not what was
   * expected makes the job fail.
   * @param options or the algorithm
   * @returns the job, or what it would have for its result where the service knows no jobs
   */
  async beginChecksum(options: string | ChecksumOptions = {}): Promise<Job | Checksum> {
    const { path } = this.#id.params;
    const params = { path, query: checksumQuery(options), header: asJob };
    return dataOf(await this.api.GET('/images/{id}/checksum', { params }));
  }

  /** The same of a zero. @returns the job; undefined where the service knows none, and all is done */
  async beginZero({ offsetBytes, lengthBytes }: ByteRange, flush = false): Promise<Job | undefined> {
    return this.#begin({ op: 'zero', offset: offsetBytes, size: lengthBytes, flush });
  }

  /** The same of a flush. @returns the job; undefined where the service knows none, and all is done */
  async beginFlush(): Promise<Job | undefined> {
    return this.#begin({ op: 'flush' });
  }

  /** The jobs of the ticket, in the order in which they began. */
  async jobs(): Promise<readonly Job[]> {
    return dataOf(await this.api.GET('/images/{id}/jobs', this.#id));
  }

  /** @throws ImageioError 404 when there is no such job, or not any more */
  async job(number: number): Promise<Job> {
    return dataOf(await this.api.GET('/images/{id}/jobs/{job}', this.#job(number)));
  }

  /**
   * Cancels a job; resolves when nothing of it runs any more.
   * @throws ImageioError 409 while storage does not answer: try again
   */
  async cancelJob(number: number): Promise<void> {
    dataOf(await this.api.DELETE('/images/{id}/jobs/{job}', { ...this.#job(number), parseAs: 'text' }));
  }

  /**
   * How the job goes on, until it has ended.
   * @throws ImageioError 404 when there is no such job, or not any more
   */
  async *jobEvents(number: number, options: FollowOptions = {}): AsyncGenerator<JobEvent> {
    for await (const event of follow(
      this.#transport,
      `${this.#path}/jobs/${number}/events`,
      jobEnds,
      options,
    )) {
      if (event.event !== 'open') yield event as JobEvent;
    }
  }

  /**
   * What happens to the ticket, as it happens, until that ends: instead of polling. A connection that breaks,
   * or a service that stops and comes back, is followed further; the state of then comes when it is another
   * one. `break` ends it, and so does closing this client.
   * @throws ImageioError 403 when there is no such ticket, or not any more; and when the service has no
   * events, which `extensions` of `options` tells beforehand
   */
  async *events(options: FollowOptions = {}): AsyncGenerator<ImageEvent> {
    for await (const event of follow(this.#transport, `${this.#path}/events`, ticketEnds, options)) {
      if (event.event !== 'open') yield event as ImageEvent;
    }
  }

  /**
   * What would fail, before it does. It changes nothing, and does not prolong the ticket.
   * @throws ImageioError 403 when the ticket does not allow it; trouble with the storage is in the answer
   */
  async preflight({ op, sizeBytes, format }: PreflightOptions = {}): Promise<Preflight> {
    const { path } = this.#id.params;
    const query = {
      ...(op !== undefined && { op }),
      ...(sizeBytes !== undefined && { size: sizeBytes }),
      ...(format !== undefined && { format }),
    };
    return dataOf(await this.api.GET('/images/{id}/preflight', { params: { path, query } }));
  }

  /**
   * The digest of each block, in order; `checksum` of the same algorithm is the hash of them.
   * @param options or the algorithm
   */
  async digests(options: string | DigestsOptions = {}): Promise<readonly BlockDigest[]> {
    const digests: BlockDigest[] = [];
    for await (const digest of this.eachDigest(
      typeof options === 'string' ? { algorithm: options } : options,
    ))
      digests.push(digest);
    return digests;
  }

  /**
   * The same as they are computed, so that of the millions of a large image none is kept. Who takes none for
   * a while has no more computed; who stops ends the request.
   * @throws ImageioError 416 when the range is outside of the image
   */
  async *eachDigest({ signal, ...options }: DigestsOptions = {}): AsyncGenerator<BlockDigest> {
    const values = Object.entries(digestsQuery(options));
    const query = new URLSearchParams(values.map(([name, value]) => [name, String(value)]));
    yield* this.#listedDigests(`${this.#path}/digests?${query}`, signal);
  }

  /**
   * Has the digests computed as a job, which goes on when this client leaves; `jobDigests` gets them.
   * @returns the job, or the digests where the service makes no job of them
   * @throws ImageioError 416 when the range is outside of the image, 400 when there are too many to be kept
   */
  async beginDigests(options: Omit<DigestsOptions, 'signal'> = {}): Promise<Job | readonly BlockDigest[]> {
    const { path } = this.#id.params;
    const params = { path, query: digestsQuery(options), header: asJob };
    // What is accepted here are no lines.
    return dataOf(await this.api.GET('/images/{id}/digests', { params })) as Job | readonly BlockDigest[];
  }

  /**
   * The digests that a job has computed.
   * @throws ImageioError 409 while it runs, 404 when it has none or not any more
   */
  jobDigests(number: number, signal?: AbortSignal): AsyncGenerator<BlockDigest> {
    return this.#listedDigests(`${this.#path}/jobs/${number}/digests`, signal);
  }

  async *#listedDigests(path: string, signal: AbortSignal | undefined): AsyncGenerator<BlockDigest> {
    const answer = await this.#transport.send(path, {
      method: 'GET',
      headers: { Accept: 'application/x-ndjson, application/json;q=0.5' },
      signal: signal ?? null,
    });
    if (answer.statusCode !== 200) throw refusalOf(answer.statusCode, await answer.body.text());
    for await (const entry of jsonEntries(answer.body)) yield entry as BlockDigest;
  }

  /**
   * A page of which bytes of an upload are there.
   * @param state `durable`: only what a loss of power would not undo
   * @throws ImageioError 403 when the ticket does not allow to write
   */
  async ranges(
    options: {
      readonly state?: 'received' | 'durable';
      readonly start?: number;
      readonly limit?: number;
    } = {},
  ): Promise<ReceivedRanges> {
    const { path } = this.#id.params;
    return dataOf(await this.api.GET('/images/{id}/ranges', { params: { path, query: options } }));
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #id() {
    return { params: { path: { id: this.ticketId } } };
  }

  #job(job: number) {
    return { params: { path: { id: this.ticketId, job } } };
  }

  async #begin(operation: components['schemas']['ImageOperation']): Promise<Job | undefined> {
    const params = { ...this.#id.params, header: asJob };
    const answer = await this.api.PATCH('/images/{id}', { params, body: operation, parseAs: 'text' });
    const text = dataOf<string>(answer);
    return answer.response.status === 202 ? (JSON.parse(text) as Job) : undefined;
  }

  get #path(): string {
    return `/images/${encodeURIComponent(this.ticketId)}`;
  }

  async #patch(operation: components['schemas']['ImageOperation']): Promise<void> {
    dataOf(await this.api.PATCH('/images/{id}', { ...this.#id, body: operation, parseAs: 'text' }));
  }
}

const ticketEnds: ReadonlySet<string> = new Set(['cancelled', 'expired', 'removed']);
const jobEnds: ReadonlySet<string> = new Set(['done', 'failed', 'cancelled']);

const asJob = { Prefer: 'respond-async' };

function digestsQuery({ range, ...options }: Omit<DigestsOptions, 'signal'>) {
  const part = range === undefined ? {} : { start: range.offsetBytes, length: range.lengthBytes };
  return { ...blockQuery(options), ...part };
}

function blockQuery({ algorithm, blockSizeBytes }: BlockOptions) {
  return {
    ...(algorithm !== undefined && { algorithm }),
    ...(blockSizeBytes !== undefined && { block_size: blockSizeBytes }),
  };
}

function checksumQuery(options: string | ChecksumOptions) {
  if (typeof options === 'string') return { algorithm: options };
  const { expect } = options;
  return { ...blockQuery(options), ...(expect !== undefined && { expect }) };
}

function bounds({ offsetBytes, lengthBytes }: ByteRange): string {
  return `${offsetBytes}-${offsetBytes + lengthBytes - 1}`;
}

/** Lines come to those alone who ask for them. */
function extentsOf(body: string | Extent[]): readonly Extent[] {
  if (typeof body === 'string') throw new TypeError('Expected a list of extents');
  return body;
}

function nextPageStart(link: string | null): number | undefined {
  const [, start] = /^<\?(?:[^<>]*&)?start=(\d+)[&>]/.exec(link ?? '') ?? [];
  return start === undefined ? undefined : Number(start);
}
