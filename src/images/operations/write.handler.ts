import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { LimitsConfig } from '../../config/sections/limits.js';
import { InvalidRequestError, RangeNotSatisfiableError } from '../../base/errors.js';
import { Section } from '../../framework/settings.module.js';
import { refuseWrappedBody } from '../../wire/headers/body-coding.js';
import { parseContentRangeStart } from '../../wire/headers/content-range.js';
import type { Exchange } from '../../wire/exchange.js';
import { yesOrNo } from '../../wire/headers/query-flag.js';
import type { TicketLease } from '../../tickets/ticket-lease.js';
import type { Backend } from '../backends/backend.js';
import { BufferPool, smallBufferBytes } from '../buffers/buffer-pool.js';
import { bodyBeyondTicket, checkWithinTicket } from '../../tickets/range-check.js';
import { BodyReader } from '../transfer/body-reader.js';
import { BufferSet } from '../transfer/buffer-set.js';
import { BodyDigests } from '../checksum/body-digests.js';
import { HashWorkers } from '../checksum/hash-workers.js';
import { blockParameters, type BlockParameters } from './block-parameters.js';
import type { AskedImage, ImageHandler, QueryValues } from './image-handler.js';
import { ImageOperations, type OperationContext } from '../transfer/image-operations.js';

interface WriteRequest {
  readonly offsetBytes: number;
  /** `Content-Length`; undefined for a chunked body, which ends where it ends. */
  readonly lengthBytes: number | undefined;
  readonly flush: boolean;
  /** Whole blocks are to be hashed so while they arrive. */
  readonly digests: BlockParameters | undefined;
  readonly close: boolean;
}

/**
 * PUT /images/{id}: the body goes to storage while it arrives, one buffer filling from the socket
 * while others are being written.
 */
@Injectable()
export class WriteHandler implements ImageHandler {
  constructor(
    private readonly operations: ImageOperations,
    private readonly pool: BufferPool,
    private readonly workers: HashWorkers,
    @Section('limits') private readonly limits: Pick<LimitsConfig, 'buffersPerTransfer'>,
  ) {}

  async handle(exchange: Exchange, asked: AskedImage): Promise<void> {
    const { ticketId } = asked;
    const request = writeRequest(exchange, asked);
    const { offsetBytes, lengthBytes } = request;
    await this.operations.run(
      exchange,
      {
        ticketId,
        access: 'write',
        kind: 'write',
        // A chunked body may go on to the end of the ticket, which is not known yet.
        changes: { offsetBytes, lengthBytes: lengthBytes ?? Number.MAX_SAFE_INTEGER - offsetBytes },
        check: ({ sizeBytes }) => {
          checkWithinTicket({ offsetBytes, lengthBytes: lengthBytes ?? 0 }, sizeBytes);
        },
      },
      async (context) => {
        const { permit, lease, backend } = context;
        exchange.logFields['offset'] = offsetBytes;
        if (lengthBytes !== undefined) exchange.logFields['length'] = lengthBytes;
        const endBytes = await this.#endOfBody(request, permit.sizeBytes, backend);
        const buffers = await BufferSet.acquire(this.pool, {
          claimant: permit,
          lengthBytes: endBytes - offsetBytes,
          countMax: Math.min(this.limits.buffersPerTransfer, backend.inFlightMax + 1),
          signal: lease.signal,
        });
        const bodyDigests = this.#bodyDigests(request, context);
        try {
          exchange.readyForBody();
          await writeBody(exchange, { backend, lease, buffers, offsetBytes, endBytes, bodyDigests });
        } finally {
          await bodyDigests?.end();
          buffers.release();
        }
        if (request.flush) await lease.flush(() => backend.flush());
        lease.signal.throwIfAborted();
      },
    );
    if (request.close) exchange.closeAfterResponse();
    exchange.send(200);
  }

  #bodyDigests(
    { digests: parameters }: WriteRequest,
    { permit, digests }: OperationContext,
  ): BodyDigests | undefined {
    if (parameters === undefined) return undefined;
    const lane = this.workers.openLane(parameters.algorithm);
    return new BodyDigests({ ...parameters, digests, lane, endBytes: permit.sizeBytes });
  }

  /** Where the body must end, at the latest for a chunked one: bytes past it are refused, not written. */
  async #endOfBody(
    { offsetBytes, lengthBytes }: WriteRequest,
    ticketSizeBytes: number,
    backend: Backend,
  ): Promise<number> {
    const imageSizeBytes = backend.growable ? Infinity : await backend.sizeBytes();
    const limitBytes = Math.min(ticketSizeBytes, imageSizeBytes);
    const endBytes = lengthBytes === undefined ? limitBytes : offsetBytes + lengthBytes;
    if (endBytes > limitBytes || offsetBytes > limitBytes) {
      throw new RangeNotSatisfiableError(
        `range end ${Math.max(endBytes, offsetBytes)} > image size ${limitBytes}`,
        limitBytes,
      );
    }
    return endBytes;
  }
}

/** What the head says, checked in this order. */
function writeRequest({ request }: Exchange, { query }: AskedImage): WriteRequest {
  refuseWrappedBody(request);
  return {
    offsetBytes: parseContentRangeStart(request.headers['content-range']),
    lengthBytes: bodyLength(request),
    flush: yesOrNo(query, 'flush', true),
    digests: bodyDigestParameters(query),
    close: yesOrNo(query, 'close', false),
  };
}

/** @throws InvalidRequestError */
function bodyDigestParameters(query: QueryValues): BlockParameters | undefined {
  const { digests: algorithm } = query;
  return algorithm === undefined ? undefined : blockParameters({ ...query, algorithm });
}

/**
 * @returns undefined for a chunked body, whose length nobody knows
 * @throws InvalidRequestError when the body has no end at all
 */
function bodyLength({ headers }: IncomingMessage): number | undefined {
  const { 'content-length': length, 'transfer-encoding': coding } = headers;
  if (length !== undefined) return Number(length);
  if (coding === undefined) throw new InvalidRequestError('Content-Length is required');
  return undefined;
}

interface BodyTransfer {
  readonly backend: Backend;
  readonly lease: TicketLease;
  readonly buffers: BufferSet;
  readonly offsetBytes: number;
  readonly endBytes: number;
  readonly bodyDigests: BodyDigests | undefined;
}

// Data sits in its buffer at the same distance from a page boundary as in the image, so
// that direct I/O needs no copy.
const pageBytes = 4096;

/**
 * Returns when everything that arrived is in the backend, or replaced there by what younger requests wrote.
 * When it throws, no write is running any more: what was handed to storage is counted and the rest of the
 * body dropped.
 */
async function writeBody(exchange: Exchange, transfer: BodyTransfer): Promise<void> {
  const { backend, lease, buffers, endBytes, bodyDigests } = transfer;
  const body = new BodyReader(exchange, lease.signal);
  // A client that pauses, or waits to hear of what it sent, is told now and not when it sends more.
  buffers.onFailure = (error) => {
    body.giveUp(error);
  };
  let offset = transfer.offsetBytes;
  try {
    // A buffer is taken only when there is data to put into it.
    while (offset < endBytes && (await body.arrival())) {
      const buffer = await buffers.take();
      lease.signal.throwIfAborted();
      const skew = offset % pageBytes;
      const stepBytes = buffers.stepAt(buffer, offset, endBytes);
      const target = buffer.subarray(skew, skew + stepBytes);
      const filledBytes = await body.fill(target);
      buffers.isSlow = filledBytes < Math.min(stepBytes, smallBufferBytes);
      const startBytes = offset;
      let writtenBytes = 0;
      const written = lease.change(
        { offsetBytes: startBytes, lengthBytes: filledBytes },
        ({ offsetBytes, lengthBytes }) => {
          const at = offsetBytes - startBytes;
          writtenBytes += lengthBytes;
          return backend.write(target.subarray(at, at + lengthBytes), offsetBytes);
        },
      );
      const isWhole = written.then(
        () => writtenBytes === filledBytes,
        () => false,
      );
      const hashed = bodyDigests?.add(target.subarray(0, filledBytes), startBytes, isWhole);
      // A buffer is free when neither storage nor the threads need it.
      buffers.use(buffer, hashed === undefined ? written : Promise.all([written, hashed]));
      offset += filledBytes;
    }
    await buffers.settled();
    await bodyDigests?.settled();
    await finishBody(exchange, body, offset === endBytes);
  } finally {
    body.stop();
    await buffers.idle();
  }
}

/** After the last byte that may be written: the body must end here too. */
async function finishBody(exchange: Exchange, body: BodyReader, full: boolean): Promise<void> {
  const isChunked = exchange.request.headers['content-length'] === undefined;
  if (full && isChunked && (await body.arrival())) throw bodyBeyondTicket();
  if (body.broken !== undefined) throw body.broken;
  if (!full && !isChunked) throw new InvalidRequestError('Request body is shorter than promised');
}
