import { Inject, Injectable } from '@nestjs/common';
import type { LimitsConfig } from '../../config/sections/limits.js';
import { formatContentDigest, type DigestAlgorithm } from '../../wire/headers/content-digest.js';
import { parseRange, type RequestedRange } from '../../wire/headers/content-range.js';
import { wantedDigest } from '../../wire/headers/want-content-digest.js';
import { Section } from '../../framework/settings.module.js';
import type { Exchange } from '../../wire/exchange.js';
import { yesOrNo } from '../../wire/headers/query-flag.js';
import type { TicketPermit } from '../../tickets/ticket-permit.js';
import type { ByteRange } from '../../base/units.js';
import { BufferPool } from '../buffers/buffer-pool.js';
import { DIGESTED_RANGES } from '../buffers/digested-ranges.js';
import { digestOf } from '../checksum/body-proof.js';
import { HashWorkers } from '../checksum/hash-workers.js';
import { contentDisposition } from './content-disposition.js';
import { Download } from '../transfer/download.js';
import { isShort, ShortDownload } from '../transfer/short-download.js';
import type { ResponseHead } from '../transfer/first-data.js';
import type { AskedImage, ImageHandler } from './image-handler.js';
import { ImageOperations, type OperationContext } from '../transfer/image-operations.js';
import { resolveRange } from '../../tickets/range-check.js';

/**
 * GET and HEAD /images/{id}: storage is read ahead while what was read drains to the client. A range whose
 * digest is wanted is in memory as a whole before its head leaves: read twice it might have changed.
 */
@Injectable()
export class ReadHandler implements ImageHandler {
  constructor(
    private readonly operations: ImageOperations,
    private readonly pool: BufferPool,
    @Inject(DIGESTED_RANGES) private readonly digestedRanges: BufferPool,
    private readonly workers: HashWorkers,
    @Section('limits') private readonly limits: Pick<LimitsConfig, 'buffersPerTransfer' | 'digestRangeBytes'>,
  ) {}

  async handle(exchange: Exchange, { ticketId, query }: AskedImage): Promise<void> {
    const range = rangeOf(exchange);
    const close = yesOrNo(query, 'close', false);
    await this.operations.run(
      exchange,
      {
        ticketId,
        access: 'read',
        kind: 'read',
        check: ({ sizeBytes }) => {
          if (range !== undefined) resolveRange(range, sizeBytes, 'ticket');
        },
      },
      async (context) => {
        const { permit, backend } = context;
        const availableBytes = Math.min(permit.sizeBytes, await backend.sizeBytes(endOf(range)));
        const part =
          range === undefined
            ? { offsetBytes: 0, lengthBytes: availableBytes }
            : resolveRange(range, availableBytes, availableBytes < permit.sizeBytes ? 'image' : 'ticket');
        const head = responseHead(permit, part, range !== undefined);
        exchange.logFields['offset'] = part.offsetBytes;
        exchange.logFields['length'] = part.lengthBytes;
        exchange.settleFraming();
        if (close) exchange.closeAfterResponse();
        if (exchange.request.method === 'HEAD') {
          exchange.response.writeHead(head.status, head.headers).end();
          return;
        }
        await this.#send(exchange, context, part, head);
      },
    );
  }

  async #send(
    exchange: Exchange,
    context: OperationContext,
    part: ByteRange,
    head: ResponseHead,
  ): Promise<void> {
    const { buffersPerTransfer: countMax, digestRangeBytes } = this.limits;
    const algorithm = part.lengthBytes <= digestRangeBytes ? wantedDigest(exchange.request) : undefined;
    const describe = algorithm === undefined ? undefined : digestHeader(this.workers, algorithm);
    if (part.lengthBytes === 0) {
      exchange.send(head.status, { ...head.headers, ...(await describe?.(new Uint8Array())) });
      return;
    }
    if (describe === undefined && isShort(part)) {
      await new ShortDownload(exchange, context, this.pool).run(part, head);
      return;
    }
    const isWhole = describe === undefined || part.lengthBytes <= this.pool.bufferBytes;
    const pool = isWhole ? this.pool : this.digestedRanges;
    await new Download(exchange, context, { pool, countMax, describe }).run(part, head);
  }
}

/** Says of the body of an answer what its digest is. */
function digestHeader(workers: HashWorkers, algorithm: DigestAlgorithm) {
  return async (data: Uint8Array): Promise<Record<string, string>> => ({
    'Content-Digest': formatContentDigest(algorithm, await digestOf(workers, algorithm, data)),
  });
}

/** Undefined for the whole image. */
function rangeOf({ request }: Exchange): RequestedRange | undefined {
  const { range, 'if-range': condition } = request.headers;
  // Responses have no `ETag` or `Last-Modified`, so no `If-Range` can match, and the whole image is to be
  // sent (RFC 9110 section 13.1.5).
  return range === undefined || condition !== undefined ? undefined : parseRange(range);
}

/** Exclusive; undefined when only the size of the image says where the range ends. */
function endOf(range: RequestedRange | undefined): number | undefined {
  return range === undefined || 'suffixLength' in range || range.last === undefined
    ? undefined
    : range.last + 1;
}

function responseHead({ definition }: TicketPermit, part: ByteRange, partial: boolean): ResponseHead {
  const headers: Record<string, string> = {
    'Content-Type': 'application/octet-stream',
    'Content-Length': String(part.lengthBytes),
    'Accept-Ranges': 'bytes',
    'Content-Disposition': contentDisposition(definition.filename),
  };
  if (!partial) return { status: 200, headers };
  const last = part.offsetBytes + part.lengthBytes - 1;
  headers['Content-Range'] = `bytes ${part.offsetBytes}-${last}/${definition.size}`;
  return { status: 206, headers };
}
