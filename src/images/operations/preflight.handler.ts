import { Injectable } from '@nestjs/common';
import { InvalidRequestError } from '../../base/errors.js';
import { OperationRunner } from '../../tickets/operation-runner.js';
import type { TicketAccess } from '../../tickets/ticket-definition.js';
import type { TicketPermit } from '../../tickets/ticket-permit.js';
import type { Exchange } from '../../wire/exchange.js';
import { wholeNumber } from '../../wire/headers/query-number.js';
import type { Finding } from '../preflight/finding.js';
import { findings } from '../preflight/findings.js';
import { ImageInspection } from '../preflight/image-inspection.js';
import type { ImageFacts, PreflightFacts, TicketFacts, TransferPlan } from '../preflight/preflight-facts.js';
import { ImageOperations } from '../transfer/image-operations.js';
import type { AskedImage, ImageHandler, QueryValues } from './image-handler.js';

/**
 * GET /images/{id}/preflight: what would fail, before it does (docs/protocol.md, "Preflight"). It opens the
 * image as a transfer would, and what is wrong with the storage is its answer, not a status.
 */
@Injectable()
export class PreflightHandler implements ImageHandler {
  constructor(
    private readonly operations: ImageOperations,
    private readonly runner: OperationRunner,
    private readonly inspection: ImageInspection,
  ) {}

  async handle(exchange: Exchange, { ticketId, query }: AskedImage): Promise<void> {
    const { op: askedOp, ...asked } = askedPlan(query);
    const permit = await this.operations.authorize(exchange, { ticketId, access: askedOp ?? 'read' });
    const plan: TransferPlan = { ...asked, op: askedOp ?? (permit.writable ? 'write' : 'read') };
    const ticket = ticketFacts(permit);
    const kind = 'preflight';
    const image = await this.runner.run(
      exchange,
      { kind, begin: (onProgress) => permit.begin(kind, exchange, { onProgress }) },
      ({ lease: { signal }, backendTime, located }) =>
        this.inspection.inspect(permit, { op: plan.op, signal, backendTime, located }),
    );
    const facts = { plan, ticket, image };
    const found = findings(facts);
    exchange.logFields['findings'] = found.map(({ code }) => code).join(' ');
    exchange.send(200, { 'Content-Type': 'application/json' }, JSON.stringify(wirePreflight(facts, found)));
  }
}

type AskedPlan = Omit<TransferPlan, 'op'> & { readonly op: TicketAccess | undefined };

/** @throws InvalidRequestError naming what is allowed */
function askedPlan({ op, size, format }: QueryValues): AskedPlan {
  if (op !== undefined && op !== 'read' && op !== 'write') {
    throw new InvalidRequestError('Invalid op, expected read or write');
  }
  const sizeBytes = wholeNumber(size);
  if (size !== undefined && sizeBytes === undefined) {
    throw new InvalidRequestError(`Invalid size, expected bytes from 0 to ${Number.MAX_SAFE_INTEGER}`);
  }
  if (format !== undefined && !(typeof format === 'string' && /^[a-z0-9_-]{1,32}$/.test(format))) {
    throw new InvalidRequestError('Invalid format, expected a name such as raw or qcow2');
  }
  return { op, sizeBytes, format };
}

function ticketFacts(permit: TicketPermit): TicketFacts {
  const { sizeBytes, remainingSeconds, inactivityTimeoutSeconds } = permit;
  const { sparse, dirty } = permit.definition;
  return { sizeBytes, remainingSeconds, inactivityTimeoutSeconds, sparse, dirty };
}

/** What is not known is left out, as JSON has no undefined. */
function wirePreflight({ plan, ticket, image }: PreflightFacts, found: readonly Finding[]): object {
  return {
    ok: !found.some(({ severity }) => severity === 'error'),
    op: plan.op,
    ticket: {
      size: ticket.sizeBytes,
      expires_in: Math.floor(ticket.remainingSeconds),
      inactivity_timeout: ticket.inactivityTimeoutSeconds,
    },
    ...(typeof image === 'string' ? {} : { image: wireImage(image) }),
    findings: found,
  };
}

function wireImage(image: ImageFacts): object {
  return {
    size: image.sizeBytes,
    growable: image.growable,
    block_size: image.blockSizeBytes,
    allocated_bytes: image.allocatedBytes,
    free_bytes: image.freeBytes,
    reads_as_zero: image.readsAsZero,
    dirty_extents: image.canDirtyExtents,
    max_readers: image.readersMax,
    max_writers: image.writersMax,
  };
}
