import { Inject, Injectable } from '@nestjs/common';
import type { EarlyHead } from '../../wire/early-head.js';
import type { ProgressListener } from '../../base/lease.js';
import type { Exchange } from '../../wire/exchange.js';
import type { OperationKind } from '../../contract/operation-kind.js';
import type { OperationRoot } from '../../tickets/operation-root.js';
import { OperationRunner } from '../../tickets/operation-runner.js';
import { tellReceived } from '../../tickets/received-answer.js';
import type { TicketAccess } from '../../tickets/ticket-definition.js';
import type { TicketLease } from '../../tickets/ticket-lease.js';
import type { TicketPermit } from '../../tickets/ticket-permit.js';
import { TICKET_STORE, type TicketStore } from '../../tickets/ticket.store.js';
import type { ByteRange } from '../../base/units.js';
import type { Backend } from '../backends/backend.js';
import { KeptDigests } from '../checksum/kept-digests.js';
import { OperationDigests } from '../checksum/operation-digests.js';
import { WatchedBackend } from '../checksum/watched-backend.js';
import { OpenImages } from './open-images.js';
import { TimedBackend } from './timed-backend.js';

export interface OperationRequest {
  readonly ticketId: string;
  readonly access: TicketAccess;
  readonly kind: OperationKind;
  /**
   * All of the image that it may change: its place among those that change the same bytes is where it
   * begins.
   */
  readonly changes?: ByteRange;
  /** Refuses what the ticket does not cover, before the image is opened. */
  readonly check?: (permit: TicketPermit) => void;
  /** May leave from when the ticket was found good, even while the image is being opened. */
  readonly earlyHead?: EarlyHead | undefined;
}

export interface OperationContext {
  readonly permit: TicketPermit;
  readonly lease: TicketLease;
  readonly backend: Backend;
  /** Those of the ticket that are known of the image. */
  readonly digests: OperationDigests;
}

/**
 * What every operation on an image of this host has in common: the ticket is checked, then the range, then
 * the image is opened, and only then anything happens (docs/protocol.md, "Order of checks").
 */
@Injectable()
export class ImageOperations {
  constructor(
    @Inject(TICKET_STORE) private readonly tickets: TicketStore,
    private readonly images: OpenImages,
    private readonly runner: OperationRunner,
    private readonly keptDigests: KeptDigests,
  ) {}

  /**
   * Looks at the ticket alone, for what must be known before an operation can be.
   * @throws NotAllowedError
   */
  async authorize(
    exchange: Exchange,
    { ticketId, access }: Pick<OperationRequest, 'ticketId' | 'access'>,
  ): Promise<TicketPermit> {
    const permit = await this.tickets.authorize(ticketId, access);
    this.runner.admit(exchange, permit);
    if (access === 'write') tellReceived(exchange, permit);
    return permit;
  }

  /** @throws NotAllowedError, RangeNotSatisfiableError, StorageError and whatever `work` throws */
  async run<T>(
    exchange: Exchange,
    request: OperationRequest,
    work: (context: OperationContext) => Promise<T>,
  ): Promise<T> {
    const permit = await this.authorize(exchange, request);
    const open = async (signal: AbortSignal): Promise<OpenedImage> => ({
      backend: await this.images.open(exchange.connection, permit, signal),
      // The connection keeps it for its next request.
      release: async () => undefined,
    });
    return this.#run(exchange, { permit, request, open }, work);
  }

  /**
   * The same for work that belongs to no connection: its image is opened for it alone, and is closed before
   * its lease ends.
   * @param operation the request, a permit that was found good for it, and who is told of its progress
   * @throws what `run` throws
   */
  async runAlone<T>(
    root: OperationRoot,
    operation: Pick<Operation, 'permit' | 'request' | 'onProgress'>,
    work: (context: OperationContext) => Promise<T>,
  ): Promise<T> {
    const open = async (signal: AbortSignal): Promise<OpenedImage> => {
      const backend = await this.images.openAnew(operation.permit, signal);
      return { backend, release: () => backend.close() };
    };
    return this.#run(root, { ...operation, open }, work);
  }

  #run<T>(
    root: OperationRoot,
    { permit, request: { kind, changes, check, earlyHead }, open, onProgress: onOwnProgress }: Operation,
    work: (context: OperationContext) => Promise<T>,
  ): Promise<T> {
    const begin = (onProgress: ProgressListener): TicketLease => {
      check?.(permit);
      const both = (range: ByteRange): void => {
        onProgress(range);
        onOwnProgress?.(range);
      };
      return permit.begin(kind, root, {
        changes,
        onProgress: onOwnProgress === undefined ? onProgress : both,
      });
    };
    return this.runner.run(root, { kind, begin }, async ({ lease, backendTime, located }) => {
      const { signal } = lease;
      earlyHead?.start();
      const { backend, release } = await backendTime.during(() => open(signal));
      const abandon = (): void => {
        backend.abandon();
      };
      signal.addEventListener('abort', abandon);
      const image = this.keptDigests.image(backend);
      try {
        located(backend.kind);
        signal.throwIfAborted();
        const { id: owner } = permit.definition;
        const watched = new WatchedBackend(new TimedBackend(backend, backendTime), image, owner);
        const { statistics } = this.keptDigests;
        const digests = new OperationDigests({ owner, image, backend: watched, statistics });
        return await work({ permit, lease, backend: watched, digests });
      } finally {
        // The root may still be aborted while an answer leaves, and others use the image then.
        signal.removeEventListener('abort', abandon);
        image.release();
        if (lease.overtakenBytes > 0) root.logFields['overtaken_bytes'] = lease.overtakenBytes;
        await release();
      }
    });
  }
}

/** An image that was opened for an operation, and what becomes of it when that has ended. */
interface OpenedImage {
  readonly backend: Backend;
  readonly release: () => Promise<void>;
}

interface Operation {
  readonly permit: TicketPermit;
  readonly request: OperationRequest;
  readonly open: (signal: AbortSignal) => Promise<OpenedImage>;
  readonly onProgress?: ProgressListener;
}
