import type { IncomingMessage } from 'node:http';
import { imageOperationBytesMax } from '../../contract/schemas.js';
import { parseContentRangeStart } from '../../wire/headers/content-range.js';
import type { ProgressListener } from '../../base/lease.js';
import type { OperationKind } from '../../contract/operation-kind.js';
import type { ByteRange } from '../../base/units.js';
import type { RelayObserver } from '../relay.proxy.js';

/**
 * Counts the bytes of the image that pass through, at their offsets, as the daemon counts them.
 * @param checkAnswer called with the part of the image that an answer has; throws to refuse the answer
 * @returns undefined for an operation that moves no image data
 */
export function transferProgress(
  kind: OperationKind,
  request: IncomingMessage,
  onProgress: ProgressListener,
  checkAnswer: (range: ByteRange) => void,
): RelayObserver | undefined {
  if (kind === 'write') return new WriteProgress(request, onProgress);
  if (kind === 'zero') return new PatchProgress(onProgress);
  if (kind === 'read') return new ReadProgress(onProgress, checkAnswer);
  return undefined;
}

class ReadProgress implements RelayObserver {
  #offsetBytes: number | undefined;

  constructor(
    private readonly onProgress: ProgressListener,
    private readonly checkAnswer: (range: ByteRange) => void,
  ) {}

  answered({ statusCode, headers }: IncomingMessage): void {
    if (statusCode === 200) this.#offsetBytes = 0;
    if (statusCode === 206) this.#offsetBytes = startOf(headers['content-range']);
    if (this.#offsetBytes === undefined) return;
    // Without a range it is the daemon that says how much there is, and where a suffix of it begins.
    const { 'content-length': contentLength = '0' } = headers;
    this.checkAnswer({ offsetBytes: this.#offsetBytes, lengthBytes: Number(contentLength) });
  }

  received(lengthBytes: number): void {
    if (this.#offsetBytes === undefined) return;
    this.onProgress({ offsetBytes: this.#offsetBytes, lengthBytes });
    this.#offsetBytes += lengthBytes;
  }

  sent(): void {
    // A read has no body.
  }
}

class WriteProgress implements RelayObserver {
  #offsetBytes: number | undefined;

  constructor(
    { headers }: IncomingMessage,
    private readonly onProgress: ProgressListener,
  ) {
    const { 'content-range': contentRange } = headers;
    this.#offsetBytes = contentRange === undefined ? 0 : startOf(contentRange);
  }

  sent({ length }: Buffer): void {
    if (this.#offsetBytes === undefined) return;
    this.onProgress({ offsetBytes: this.#offsetBytes, lengthBytes: length });
    this.#offsetBytes += length;
  }

  answered(): void {
    // What was sent is counted.
  }

  received(): void {
    // The answer to a write has no image data.
  }
}

class PatchProgress implements RelayObserver {
  readonly #chunks: Buffer[] = [];
  #sizeBytes = 0;

  constructor(private readonly onProgress: ProgressListener) {}

  sent(chunk: Buffer): void {
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes <= imageOperationBytesMax) this.#chunks.push(Buffer.from(chunk));
  }

  answered({ statusCode = 0 }: IncomingMessage): void {
    if (statusCode < 200 || statusCode > 299 || this.#sizeBytes > imageOperationBytesMax) return;
    const range = zeroedRange(Buffer.concat(this.#chunks).toString('utf8'));
    if (range !== undefined) this.onProgress(range);
  }

  received(): void {
    // The answer to a PATCH has no image data.
  }
}

/** Undefined where the daemon will refuse the header. */
function startOf(contentRange: string | undefined): number | undefined {
  try {
    return contentRange === undefined ? undefined : parseContentRangeStart(contentRange);
  } catch {
    return undefined;
  }
}

function zeroedRange(json: string): ByteRange | undefined {
  let patch: unknown;
  try {
    patch = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof patch !== 'object' || patch === null) return undefined;
  const { op, offset = 0, size } = patch as { op?: unknown; offset?: unknown; size?: unknown };
  if (op !== 'zero' || !isCount(offset) || !isCount(size)) return undefined;
  return { offsetBytes: offset, lengthBytes: size };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
