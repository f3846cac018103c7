import type { ByteRange } from './byte-ranges.js';
import type {
  BlockDigest,
  DiskExtent,
  DurableRanges,
  Finding,
  HashingDisk,
  Preflight,
  TransferPlan,
  WritableDisk,
} from './disk.js';
import { TransferError } from './failure.js';
import {
  isPartOf,
  readText,
  refusalOf,
  type HttpAnswer,
  type HttpRequest,
  type HttpTransport,
} from './http.js';
import { jsonEntries } from './json-entries.js';

/** What a service says that can be done with an image. */
export interface ImageCapabilities {
  readonly features: readonly string[];
  /** Empty at a service without any. */
  readonly extensions: readonly string[];
  readonly readersMax: number;
  readonly writersMax: number;
  /** Of the host, where clients on the same host can go. */
  readonly unixSocket: string | undefined;
}

/** A page is in memory as a whole. */
const extentsPerPage = 10_000;

/** An image of a service, at a daemon or through a proxy. */
export class HttpImage implements WritableDisk, HashingDisk {
  /** Whether the image is a file that grows up to the size of the ticket, the service knows. */
  readonly growable = true;
  /** What the ticket has allowed so far; that it is there, it has shown by being opened. */
  readonly #granted = new Set<'read' | 'write'>(['read']);

  private constructor(
    /** By which it is reached; it is closed with the image. */
    readonly transport: HttpTransport,
    /** `/images/` and the ticket, percent-encoded. */
    readonly path: string,
    readonly sizeBytes: number,
    readonly capabilities: ImageCapabilities,
    private readonly awaitsTicket: boolean,
  ) {}

  /**
   * @param path of the image: `/images/` and the ticket
   * @param awaitsTicket a ticket that was good and is refused now may be good again, so it is worth to try
   *   again; not for whoever learns elsewhere what has become of it
   * @throws TransferError
   */
  static async open(
    transport: HttpTransport,
    path: string,
    signal: AbortSignal,
    { awaitsTicket = true }: { readonly awaitsTicket?: boolean } = {},
  ): Promise<HttpImage> {
    const answer = await accepted(transport, { method: 'OPTIONS', path }, signal);
    const told = JSON.parse(await readText(answer)) as Record<string, unknown>;
    const capabilities: ImageCapabilities = {
      features: strings(told['features']),
      extensions: strings(told['extensions']),
      readersMax: count(told['max_readers']),
      writersMax: count(told['max_writers']),
      unixSocket: typeof told['unix_socket'] === 'string' ? told['unix_socket'] : undefined,
    };
    const sizeBytes = await sizeOf(transport, path, signal);
    return new HttpImage(transport, path, sizeBytes, capabilities, awaitsTicket);
  }

  /**
   * In pages where the service has them, and else as a whole: a service gives up a client that leaves its
   * answer unread for as long as a transfer takes.
   */
  async *extents(signal: AbortSignal): AsyncGenerator<DiskExtent> {
    const hasPages = this.capabilities.extensions.includes('extents-pages');
    for (let startBytes = 0; ;) {
      const query = hasPages ? `?start=${startBytes}&limit=${extentsPerPage}` : '';
      const page = await this.#extentsOf(query, signal);
      yield* page;
      const last = page.at(-1);
      if (!hasPages || last === undefined) return;
      startBytes = last.offsetBytes + last.lengthBytes;
      if (startBytes >= this.sizeBytes) return;
    }
  }

  async #extentsOf(query: string, signal: AbortSignal): Promise<readonly DiskExtent[]> {
    const answer = await this.#ask({ method: 'GET', path: `${this.path}/extents${query}` }, signal);
    const extents: DiskExtent[] = [];
    for await (const entry of jsonEntries(answer.body)) {
      const { start, length, zero, hole } = entry as WireExtent;
      extents.push({ offsetBytes: start, lengthBytes: length, zero, hole });
    }
    return extents;
  }

  async read(target: Uint8Array, offsetBytes: number, signal: AbortSignal): Promise<void> {
    const range = `bytes=${offsetBytes}-${offsetBytes + target.length - 1}`;
    const headers = { Range: range };
    if ((await this.transport.receive?.({ path: this.path, headers }, target, signal)) === true) return;
    const answer = await this.#ask({ method: 'GET', path: this.path, headers }, signal);
    const isAsked = answer.status !== 206 || isPartOf(range, answer.header('content-range'));
    let filledBytes = 0;
    for await (const chunk of answer.body) {
      if (!isAsked) throw misplaced();
      if (filledBytes + chunk.length > target.length) throw cut();
      target.set(chunk, filledBytes);
      filledBytes += chunk.length;
    }
    if (filledBytes < target.length) throw cut();
  }

  async write(data: Uint8Array, offsetBytes: number, signal: AbortSignal): Promise<void> {
    const headers = {
      'Content-Type': 'application/octet-stream',
      'Content-Range': `bytes ${offsetBytes}-${offsetBytes + data.length - 1}/*`,
    };
    await this.#done({ method: 'PUT', path: `${this.path}?flush=n`, headers, body: data }, signal);
  }

  async zero({ offsetBytes, lengthBytes }: ByteRange, signal: AbortSignal): Promise<void> {
    await this.#patch({ op: 'zero', offset: offsetBytes, size: lengthBytes, flush: false }, signal);
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#patch({ op: 'flush' }, signal);
  }

  async durable(signal: AbortSignal): Promise<DurableRanges | undefined> {
    if (!this.capabilities.extensions.includes('ranges')) return undefined;
    const ranges: ByteRange[] = [];
    let [generation, receivedBytes] = [0, 0];
    for (let next: number | null = 0; next !== null;) {
      const path = `${this.path}/ranges?state=durable&start=${next}`;
      const page = JSON.parse(await readText(await this.#ask({ method: 'GET', path }, signal))) as RangesPage;
      // Pages of two generations would not be of one moment.
      if (next !== 0 && page.generation !== generation) return this.durable(signal);
      generation = page.generation;
      receivedBytes = page.received_bytes;
      ranges.push(...page.ranges.map(({ start, length }) => ({ offsetBytes: start, lengthBytes: length })));
      ({ next } = page);
    }
    return { ranges, receivedBytes, generation };
  }

  async preflight({ op, sizeBytes }: TransferPlan, signal: AbortSignal): Promise<Preflight | undefined> {
    return this.#preflight(`op=${op}&size=${sizeBytes}`, signal);
  }

  /**
   * How large the image may become by writing to it: of one that grows what its ticket covers, where the
   * service tells it, and else its size.
   */
  async capacityBytes(signal: AbortSignal): Promise<number> {
    return (await this.#preflight('op=write', signal))?.capacityBytes ?? this.sizeBytes;
  }

  async #preflight(query: string, signal: AbortSignal): Promise<Preflight | undefined> {
    if (!this.capabilities.extensions.includes('preflight')) return undefined;
    const answer = await this.#ask({ method: 'GET', path: `${this.path}/preflight?${query}` }, signal);
    const { ticket, image, findings } = JSON.parse(await readText(answer)) as WirePreflight;
    return {
      findings,
      capacityBytes: image?.growable === true ? Math.max(image.size, ticket.size) : image?.size,
      allocatedBytes: image?.allocated_bytes,
      freeBytes: image?.free_bytes,
      readsAsZero: image?.reads_as_zero,
    };
  }

  async digests(
    algorithm: string,
    blockBytes: number,
    { offsetBytes, lengthBytes }: ByteRange,
    signal: AbortSignal,
  ): Promise<AsyncIterable<BlockDigest> | undefined> {
    if (!this.capabilities.extensions.includes('digests')) return undefined;
    const range = `start=${offsetBytes}&length=${lengthBytes}`;
    const path = `${this.path}/digests?algorithm=${algorithm}&block_size=${blockBytes}&${range}`;
    const headers = { Accept: 'application/x-ndjson' };
    return digestEntries((await this.#ask({ method: 'GET', path, headers }, signal)).body);
  }

  async checksum(algorithm: string, blockBytes: number, signal: AbortSignal): Promise<string | undefined> {
    if (!this.capabilities.features.includes('checksum')) return undefined;
    const path = `${this.path}/checksum?algorithm=${algorithm}&block_size=${blockBytes}`;
    const { checksum } = JSON.parse(await readText(await this.#ask({ method: 'GET', path }, signal))) as {
      checksum: string;
    };
    return checksum;
  }

  async close(): Promise<void> {
    await this.transport.close();
  }

  async #patch(operation: object, signal: AbortSignal): Promise<void> {
    const headers = { 'Content-Type': 'application/json' };
    await this.#done({ method: 'PATCH', path: this.path, headers, body: JSON.stringify(operation) }, signal);
  }

  async #ask(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const access = accessOf(request);
    const mayReturn = this.awaitsTicket && this.#granted.has(access);
    const answer = await accepted(this.transport, request, signal, mayReturn);
    this.#granted.add(access);
    return answer;
  }

  async #done(request: HttpRequest, signal: AbortSignal): Promise<void> {
    await readText(await this.#ask(request, signal));
  }
}

interface WirePreflight {
  readonly ticket: { readonly size: number };
  /** Not there when it could not be opened. */
  readonly image?: {
    readonly size: number;
    readonly growable: boolean;
    readonly allocated_bytes?: number;
    readonly free_bytes?: number;
    readonly reads_as_zero?: boolean;
  };
  readonly findings: readonly Finding[];
}

interface WireExtent {
  readonly start: number;
  readonly length: number;
  readonly zero: boolean;
  readonly hole: boolean;
}

interface RangesPage {
  readonly generation: number;
  readonly received_bytes: number;
  readonly ranges: readonly { readonly start: number; readonly length: number }[];
  readonly next: number | null;
}

/** What is known of writes is for those who write. */
function accessOf({ method, path }: HttpRequest): 'read' | 'write' {
  const writes = method === 'PUT' || method === 'PATCH' || /\/ranges\?|[?&]op=write/.test(path);
  return writes ? 'write' : 'read';
}

async function accepted(
  transport: HttpTransport,
  request: HttpRequest,
  signal: AbortSignal,
  wasGranted = false,
): Promise<HttpAnswer> {
  const answer = await transport.send(request, signal);
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw await refusalOf(answer, wasGranted);
}

/** By a request of one byte where a service knows no HEAD. */
async function sizeOf(transport: HttpTransport, path: string, signal: AbortSignal): Promise<number> {
  const head = await transport.send({ method: 'HEAD', path }, signal);
  await readText(head);
  const length = head.header('content-length');
  if (head.status === 200 && length !== undefined) return Number(length);
  const byte = await transport.send({ method: 'GET', path, headers: { Range: 'bytes=0-0' } }, signal);
  // An empty image has no first byte.
  if (byte.status !== 206 && byte.status !== 416) throw await refusalOf(byte);
  await readText(byte);
  const size = /\/(\d+)$/.exec(byte.header('content-range') ?? '')?.[1];
  if (size === undefined) throw new Error('The service does not say how large the image is');
  return Number(size);
}

async function* digestEntries(body: AsyncIterable<Uint8Array>): AsyncGenerator<BlockDigest> {
  for await (const entry of jsonEntries(body)) {
    const { start, length, digest } = entry as { start: number; length: number; digest: string };
    yield { offsetBytes: start, lengthBytes: length, digest };
  }
}

function misplaced(): TransferError {
  return new TransferError('The service answers with another part of the image than was asked for', {
    retryable: true,
  });
}

function cut(): TransferError {
  return new TransferError('The answer of the service does not have the length that was asked for', {
    retryable: true,
  });
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}

function count(value: unknown): number {
  return typeof value === 'number' && value >= 1 ? value : 1;
}
