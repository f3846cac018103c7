import { Injectable } from '@nestjs/common';
import type { BusyTime } from '../../base/busy-time.js';
import { StorageError, type StorageTrouble } from '../../base/errors.js';
import type { DaemonConfig } from '../../config/sections/daemon.js';
import type { LimitsConfig } from '../../config/sections/limits.js';
import { Section } from '../../framework/settings.module.js';
import type { TicketAccess } from '../../tickets/ticket-definition.js';
import type { TicketPermit } from '../../tickets/ticket-permit.js';
import type { Backend } from '../backends/backend.js';
import { clippedExtents } from '../operations/clipped-extents.js';
import type { ImageFacts } from './preflight-facts.js';
import { TrialImages } from './trial-images.js';

export interface InspectionOptions {
  readonly op: TicketAccess;
  /** Ends the inspection; its reason is then what the inspection fails with. */
  readonly signal: AbortSignal;
  /** Adds up how long storage is waited for. */
  readonly backendTime: BusyTime;
  /** Is told where the image is once it is open. */
  readonly located: (kind: string) => void;
}

/** Finds out about the image of a ticket what matters to a transfer, within a time that people wait. */
@Injectable()
export class ImageInspection {
  constructor(
    private readonly trials: TrialImages,
    @Section('limits') private readonly limits: Pick<LimitsConfig, 'preflightSeconds'>,
    @Section('daemon') private readonly daemon: Pick<DaemonConfig, 'connectionsMax'>,
  ) {}

  /**
   * @returns what the image says, or why it does not: storage that hangs is silent
   * @throws NotAllowedError when the image is in a place where none may be, and the reason of the signal
   */
  async inspect(permit: TicketPermit, options: InspectionOptions): Promise<ImageFacts | StorageTrouble> {
    const { op, signal, backendTime, located } = options;
    const deadline = AbortSignal.timeout(this.limits.preflightSeconds * 1000);
    // All but the extents, which may take longest: when time is up, this is told without them.
    let known: ImageFacts | undefined;
    const look = async (image: Backend): Promise<ImageFacts> => {
      located(image.kind);
      const facts = await this.#facts(image);
      known = facts;
      if (op === 'read') return facts;
      return { ...facts, readsAsZero: await readsAsZero(image, Math.min(permit.sizeBytes, facts.sizeBytes)) };
    };
    try {
      const limited = AbortSignal.any([signal, deadline]);
      return await backendTime.during(() => this.trials.look(permit, limited, look));
    } catch (error: unknown) {
      signal.throwIfAborted();
      if (deadline.aborted) return known ?? 'storage_silent';
      if (error instanceof StorageError) return error.trouble;
      throw error;
    }
  }

  async #facts(image: Backend): Promise<ImageFacts> {
    const { connectionsMax } = this.daemon;
    const { kind, growable, blockSizeBytes, canDirtyExtents, readersMax, writersMax } = image;
    const { allocatedBytes, freeBytes } = await image.room();
    return {
      kind,
      sizeBytes: await image.sizeBytes(),
      growable,
      blockSizeBytes,
      allocatedBytes,
      freeBytes,
      readsAsZero: undefined,
      canDirtyExtents,
      readersMax: Math.min(readersMax, connectionsMax),
      writersMax: Math.min(writersMax, connectionsMax),
    };
  }
}

async function readsAsZero(image: Backend, endBytes: number): Promise<boolean> {
  for await (const list of clippedExtents(image.extents('zero'), endBytes)) {
    if (list.some(({ zero }) => !zero)) return false;
  }
  return true;
}
