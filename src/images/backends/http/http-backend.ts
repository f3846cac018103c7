import type { IncomingMessage } from 'node:http';
import { BadGatewayError } from '../../../base/errors.js';
import type { ByteRange } from '../../../base/units.js';
import type { DaemonCall, DaemonCalls } from '../../../daemons/daemon-calls.js';
import { daemonFailureKind } from '../../../daemons/daemon-failure.js';
import { pageBytes } from '../../buffers/aligned-memory.js';
import type {
  Backend,
  BlockDigest,
  BlockDigestsRequest,
  Extent,
  ExtentContext,
  StorageRoom,
  UnflushedWrites,
} from '../backend.js';
import { MergedExtents } from '../merged-extents.js';
import { digestPages } from './digest-pages.js';
import { imageSize, type ImageFacts } from './image-facts.js';
import { listedExtents } from './listed-extents.js';
import { receivedBody } from './received-body.js';

export interface HttpBackendOptions {
  readonly facts: ImageFacts;
  /** As the image had when it was opened. */
  readonly sizeBytes: number;
  readonly canDirtyExtents: boolean;
  readonly unflushed?: UnflushedWrites | undefined;
}

/** Extents that are asked for at once: their text is parsed in a millisecond or two. */
const extentsPerPage = 1000;

const whole: ByteRange = { offsetBytes: 0, lengthBytes: Infinity };

/**
 * An image that another daemon has, by its images API. What a call fails with there it fails with here. A
 * write of which nobody knows whether it was done is not repeated.
 */
export class HttpBackend implements Backend {
  readonly kind = 'http';
  /** Its daemon has clients of its own. */
  readonly incarnation = undefined;
  readonly inFlightMax = 4;
  /** Whether the image grows the daemon knows, which refuses what goes too far. */
  readonly growable = true;
  /** The daemon takes any range, and knows what its storage wants. */
  readonly blockSizeBytes = 1;
  #sizeBytes: number;

  constructor(
    private readonly calls: DaemonCalls,
    private readonly options: HttpBackendOptions,
  ) {
    this.#sizeBytes = options.sizeBytes;
  }

  get identity(): string {
    return this.place;
  }

  get place(): string {
    const { origin, path } = this.calls.image;
    return `${origin.host}${path}`;
  }

  get readersMax(): number {
    return this.options.facts.readersMax;
  }

  get writersMax(): number {
    return this.options.facts.writersMax;
  }

  get canDirtyExtents(): boolean {
    return this.options.canDirtyExtents;
  }

  async sizeBytes(enoughBytes = Infinity): Promise<number> {
    if (enoughBytes > this.#sizeBytes) this.#sizeBytes = await imageSize(this.calls, this.options.facts);
    return this.#sizeBytes;
  }

  async room(): Promise<StorageRoom> {
    // A preflight of the image is answered by its own daemon.
    return {};
  }

  async read(buffer: Uint8Array, { offsetBytes, lengthBytes }: ByteRange): Promise<Uint8Array> {
    // As far from a page boundary as in the image, so that it can be written from there without a copy.
    const startBytes = offsetBytes % pageBytes;
    const endBytes = Math.min(offsetBytes + lengthBytes, await this.sizeBytes(offsetBytes + lengthBytes));
    const memory = buffer.subarray(startBytes, startBytes + Math.max(0, endBytes - offsetBytes));
    if (memory.length === 0) return memory;
    const headers = { Range: `bytes=${offsetBytes}-${endBytes - 1}` };
    await this.calls.ask({ method: 'GET', headers }, (answer, heard) => {
      if (answer.statusCode !== 206) throw new BadGatewayError('The host of the image ignores ranges');
      return receivedBody(answer, memory, heard);
    });
    return memory;
  }

  async write(source: Uint8Array, offsetBytes: number): Promise<void> {
    if (source.length === 0) return;
    const headers = {
      'Content-Type': 'application/octet-stream',
      'Content-Range': `bytes ${offsetBytes}-${offsetBytes + source.length - 1}/*`,
    };
    await this.#change({ method: 'PUT', path: '?flush=n', headers, body: source });
  }

  async zero({ offsetBytes, lengthBytes }: ByteRange): Promise<void> {
    if (lengthBytes === 0) return;
    // Whether it is deallocated the ticket at the daemon says.
    await this.#patch({ op: 'zero', offset: offsetBytes, size: lengthBytes, flush: false });
  }

  async flush(): Promise<void> {
    await this.#patch({ op: 'flush' });
  }

  async *extents(context: ExtentContext, range = whole): AsyncGenerator<readonly Extent[]> {
    const { facts } = this.options;
    const endBytes = Math.min(range.offsetBytes + range.lengthBytes, await this.sizeBytes());
    const merged = new MergedExtents();
    const hasPages = facts.extensions.includes('extents-pages');
    for (let atBytes = hasPages ? range.offsetBytes : 0; atBytes < endBytes;) {
      const part = hasPages ? `&start=${atBytes}&length=${endBytes - atBytes}&limit=${extentsPerPage}` : '';
      const startBytes = atBytes;
      const page = await this.calls.ask(
        { method: 'GET', path: `/extents?context=${context}${part}` },
        (answer, heard) => listedExtents(answer, { context, startBytes, heard }),
      );
      const last = page.at(-1);
      if (last === undefined || (!hasPages && last.start + last.length < endBytes))
        throw new BadGatewayError('The extents that the host of the image told end before it does');
      atBytes = last.start + last.length;
      for (const extent of page) addPart(merged, extent, range.offsetBytes, endBytes);
      if (merged.completeCount > 0) yield merged.takeComplete();
    }
    const rest = merged.takeAll();
    if (rest.length > 0) yield rest;
  }

  blockDigests(request: BlockDigestsRequest): AsyncIterable<BlockDigest> | undefined {
    if (!this.options.facts.extensions.includes('digests')) return undefined;
    return digestPages(this.calls, request);
  }

  abandon(): void {
    this.calls.abandon();
  }

  close(): Promise<void> {
    return this.calls.close();
  }

  async #patch(operation: object): Promise<void> {
    const body = Buffer.from(JSON.stringify(operation));
    await this.#change({ method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body });
  }

  async #change(call: DaemonCall): Promise<void> {
    try {
      await this.calls.ask(call, finished);
    } catch (error: unknown) {
      // A daemon that refuses has not forgotten anything; one that fails may have lost its host.
      if (daemonFailureKind(error) !== undefined) this.options.unflushed?.lost();
      throw error;
    }
  }
}

async function finished(answer: IncomingMessage): Promise<void> {
  await receivedBody(answer, new Uint8Array(0), () => undefined);
}

/** Adds what of `extent` is between the two. */
function addPart(merged: MergedExtents, extent: Extent, startBytes: number, endBytes: number): void {
  const start = Math.max(extent.start, startBytes);
  const end = Math.min(extent.start + extent.length, endBytes);
  if (start < end) merged.add({ ...extent, start, length: end - start });
}
