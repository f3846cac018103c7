import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { LimitsConfig } from '../../config/sections/limits.js';
import { InvalidRequestError, RangeNotSatisfiableError } from '../../base/errors.js';
import { Section } from '../../framework/settings.module.js';
import { refuseWrappedBody } from '../../wire/headers/body-coding.js';
import { parseContentRangeStart } from '../../wire/headers/content-range.js';
import type { Exchange } from '../../wire/exchange.js';
import { yesOrNo } from '../../wire/headers/query-flag.js';
import type { Backend } from '../backends/backend.js';
import { BufferPool } from '../buffers/buffer-pool.js';
import { checkWithinTicket } from '../../tickets/range-check.js';
import { BodyProof, expectedDigests, type ExpectedDigests } from '../checksum/body-proof.js';
import { HashWorkers } from '../checksum/hash-workers.js';
import { BufferSet } from '../transfer/buffer-set.js';
import { BodyDigests } from '../checksum/body-digests.js';
import { claimedDigests, ProvenBlock } from '../checksum/proven-block.js';
import { blockParameters } from './block-parameters.js';
import type { BlockHashing } from '../checksum/digest-series.js';
import type { AskedImage, ImageHandler, QueryValues } from './image-handler.js';
import { Upload } from '../transfer/upload.js';
import { ImageOperations, type OperationContext } from '../transfer/image-operations.js';

interface WriteRequest {
  readonly offsetBytes: number;
  /** `Content-Length`; undefined for a chunked body, which ends where it ends. */
  readonly lengthBytes: number | undefined;
  readonly flush: boolean;
  /** Whole blocks are to be hashed so while they arrive. */
  readonly digests: BlockHashing | undefined;
  readonly close: boolean;
  /** Undefined when the body is taken as it comes. */
  readonly expected: ExpectedDigests | undefined;
}

/**
 * PUT /images/{id}: the body goes to storage while it arrives, one buffer filling from the socket
 * while others are being written. A `Content-Digest` says what must have arrived in the end.
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
        const recorder = this.#bodyDigests(request, context) ?? provenBlock(request, context);
        try {
          exchange.readyForBody();
          const { pool } = this;
          const upload = { backend, lease, pool, buffers, offsetBytes, endBytes, recorder };
          await this.#receive(new Upload(exchange, upload), request);
          if (recorder instanceof ProvenBlock) await recorder.proven();
        } finally {
          await recorder?.end();
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

  async #receive(upload: Upload, { expected }: WriteRequest): Promise<void> {
    if (expected === undefined) {
      await upload.run();
      return;
    }
    const proof = new BodyProof(this.workers, expected);
    try {
      await upload.run(proof);
    } finally {
      proof.close();
    }
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

/** @returns undefined where nothing is claimed of a whole block that could be kept */
function provenBlock(
  { offsetBytes, lengthBytes, expected }: WriteRequest,
  { digests, permit }: OperationContext,
): ProvenBlock | undefined {
  if (lengthBytes === undefined || expected === undefined) return undefined;
  const range = { offsetBytes, lengthBytes };
  const claims = claimedDigests(range, expected.inHead, digests, permit.sizeBytes);
  return claims.length === 0 ? undefined : new ProvenBlock(digests, range, claims);
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
    expected: expectedDigests(request),
  };
}

/** @throws InvalidRequestError */
function bodyDigestParameters(query: QueryValues): BlockHashing | undefined {
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
