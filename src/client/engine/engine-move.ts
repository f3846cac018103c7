import {
  StoppedError,
  TransferError,
  VerificationError,
  type HttpImage,
  type StateStore,
  type TransferProgress,
} from '#sdk/transfer';
import { errorMessage } from '../../base/error-details.js';
import { interruptible } from '../interruptible.js';
import { MemoryState } from '../memory-state.js';
import { never } from '../never.js';
import type { StateFile } from '../state-file.js';
import type { DiskStatus, NewTransfer } from './engine-api.js';
import type { EngineSession } from './engine-session.js';
import { EndedByEngineError, ImageTransfer } from './image-transfer.js';
import { ownHost } from './own-host.js';
import { untilKnown } from './polling.js';
import { reachImage } from './reach.js';
import { RecordFile, type TransferRecord } from './transfer-record.js';

/** What upload and download do differently. */
export interface DiskJob {
  readonly direction: 'upload' | 'download';
  /** e.g. `uploading image` */
  readonly movingStep: string;
  readonly wanted: Pick<NewTransfer, 'backupId' | 'shallow'>;
  /** Of the engine; an upload makes it. */
  readonly diskId: string;
  /** @throws TransferError when there is a disk with that id that an upload has not made */
  prepare(signal: AbortSignal): Promise<void>;
  makeDisk(signal: AbortSignal): Promise<void>;
  /** The name of the storage domain that the disk is in; undefined when the engine does not tell. */
  storageDomain(diskId: string, signal: AbortSignal): Promise<string | undefined>;
  /** @param state of the transfer with that id, to be gone on with */
  move(image: HttpImage, transfer: ImageTransfer, state: StateStore): Promise<TransferProgress>;
}

/** Where it is remembered what was begun; undefined where nothing is. */
export interface Memory {
  readonly state: StateFile;
  readonly records: RecordFile;
}

/** So often is moving begun again after the engine has paused the transfer. */
const pausesMax = 10;
/** A disk that is locked for longer when its transfer is over is left to whoever looks after the engine. */
const unlockMilliseconds = 120_000;

/**
 * One disk that is moved through an engine, from the first request to the last. Whatever happens, what was
 * begun at the engine is completed, paused so that a later run goes on, or taken back.
 */
export class EngineMove {
  #transfer: ImageTransfer | undefined;
  #diskId: string | undefined;
  /** A later run has something to go on with. */
  #isWorthKeeping = false;

  constructor(
    private readonly session: EngineSession,
    private readonly job: DiskJob,
    /** With `isResumed` false a run begins anew, and takes back what an earlier one left. */
    private readonly memory: Memory,
    private readonly isResumed: boolean,
  ) {}

  /** @returns the disk, and what was moved: undefined when only the end was missing */
  async run(): Promise<{ readonly diskId: string; readonly moved: TransferProgress | undefined }> {
    const record = await this.#earlier();
    try {
      if (record?.isMoved === true && (await this.#isFinalizing())) {
        this.session.steps.begin('finalizing transfer');
        await this.#transfer?.untilFinalized();
        return await this.#completed(undefined);
      }
      let moved: TransferProgress | undefined;
      if (record?.isMoved === true) await this.#reopen();
      else moved = await this.#moveAll(record);
      this.session.steps.begin('finalizing transfer');
      await this.#transfer?.finalize();
      return await this.#completed(moved);
    } catch (error: unknown) {
      await this.#leave(error);
      throw error;
    }
  }

  /** What an earlier run has begun and left to go on with. */
  async #earlier(): Promise<TransferRecord | undefined> {
    const { records } = this.memory;
    const record = await records.load();
    if (record === undefined) return undefined;
    const { api, log } = this.session;
    this.#diskId = record.diskId;
    if (record.transferId !== undefined)
      this.#transfer = new ImageTransfer(api, record.transferId, record.diskId, log);
    const isOver = await this.#isOver();
    if (this.isResumed && (record.isMoved === true || !isOver)) {
      this.#isWorthKeeping = true;
      return record;
    }
    if (isOver) {
      const { diskId, transferId } = record;
      const ended = transferId === undefined ? `Disk ${diskId} is not` : `Transfer ${transferId} has ended`;
      log.warning(`${ended} at the engine: beginning anew`);
      await this.#transfer?.over();
      await this.#forget();
      // A disk that is good may be in use.
      await this.#removeRest(['illegal']);
    } else {
      await this.#takeBack();
    }
    this.#transfer = undefined;
    this.#diskId = undefined;
    return undefined;
  }

  /** The engine does not know what was begun any more, or has ended it. */
  async #isOver(): Promise<boolean> {
    const { api } = this.session;
    if (this.#transfer === undefined) return (await api.disk(this.#diskId ?? '', never)) === undefined;
    return !isOpenPhase(await this.#transfer.phase());
  }

  async #isFinalizing(): Promise<boolean> {
    return !isOpenPhase(await this.#transfer?.phase());
  }

  /** What can be finalized is not paused. */
  async #reopen(): Promise<void> {
    await interruptible(async (signal) => this.#transfer?.open(signal));
  }

  async #moveAll(record: TransferRecord | undefined): Promise<TransferProgress> {
    const { steps } = this.session;
    const transfer = await interruptible((signal) => this.#begin(record, signal));
    steps.begin(this.job.movingStep);
    const moved = await this.#moveWhileOpen(transfer);
    const transferId = transfer.id;
    if (this.isResumed) await this.memory.records.save({ diskId: this.#disk, transferId, isMoved: true });
    return moved;
  }

  /** Makes what is not there yet of disk and transfer. */
  async #begin(record: TransferRecord | undefined, signal: AbortSignal): Promise<ImageTransfer> {
    const { api, steps } = this.session;
    if (this.#transfer !== undefined) {
      steps.begin('resuming transfer');
      await this.#transfer.open(signal);
      return this.#transfer;
    }
    const { job } = this;
    const diskId = record?.diskId ?? job.diskId;
    if (record === undefined) {
      await job.prepare(signal);
      // What is left of an earlier run is of a disk that was another one.
      await this.memory.state.remove();
      // It is known by then to whoever comes after a kill, or when no answer comes.
      await this.#remember({ diskId });
      this.#diskId = diskId;
      await job.makeDisk(signal);
    }
    const begun = record === undefined ? undefined : await this.#begunUnseen(diskId, signal);
    if (begun !== undefined) return begun;
    if (job.direction === 'upload') {
      await this.#untilMade(diskId, signal);
      steps.begin('creating transfer');
    }
    const hostId = await this.#ownHost(signal);
    const { direction, wanted } = job;
    const { id } = await api.addTransfer({ ...wanted, direction, diskId, hostId }, signal);
    return this.#opened(id, diskId, signal);
  }

  /** The transfer of an upload that was killed before it heard of it: nobody else has the disk. */
  async #begunUnseen(diskId: string, signal: AbortSignal): Promise<ImageTransfer | undefined> {
    if (this.job.direction === 'download') return undefined;
    const transfers = await this.session.api.transfersOf(diskId, signal);
    const begun = transfers.find(({ phase }) => isOpenPhase(phase));
    return begun === undefined ? undefined : this.#opened(begun.id, diskId, signal);
  }

  async #opened(id: string, diskId: string, signal: AbortSignal): Promise<ImageTransfer> {
    const { api, log } = this.session;
    log.info(`Transfer ${id} of disk ${diskId}`);
    const transfer = new ImageTransfer(api, id, diskId, log);
    this.#transfer = transfer;
    await this.#remember({ diskId, transferId: id });
    await transfer.open(signal);
    return transfer;
  }

  async #untilMade(diskId: string, signal: AbortSignal): Promise<void> {
    const { api } = this.session;
    const status = await untilKnown(async () => {
      const disk = await api.disk(diskId, signal);
      return disk?.status === 'locked' ? undefined : (disk?.status ?? 'gone');
    }, signal);
    if (status !== 'ok') throw new EndedByEngineError(`The engine could not make the disk: it is ${status}`);
  }

  /** Moves the data, again where the engine has paused the transfer meanwhile because it heard nothing. */
  async #moveWhileOpen(transfer: ImageTransfer): Promise<TransferProgress> {
    const { access, log } = this.session;
    const { state } = this.memory;
    const store = this.isResumed ? state : new MemoryState();
    for (let pauses = 0; ; pauses += 1) {
      const { inactivitySeconds, image } = await interruptible(async (signal) => {
        const opened = await transfer.open(signal);
        const ownHostId = await this.#ownHost(signal);
        return { ...opened, image: await reachImage(opened, { access, log, ownHostId, signal }) };
      });
      this.#isWorthKeeping = true;
      try {
        return await transfer.extended(inactivitySeconds, () => this.job.move(image, transfer, store));
      } catch (error: unknown) {
        if (!(await isPausedBy(error, transfer)) || pauses >= pausesMax) throw error;
        log.warning(`The engine has paused transfer ${transfer.id}: ${errorMessage(error)}`);
      } finally {
        await image.close();
      }
    }
  }

  async #ownHost(signal: AbortSignal): Promise<string | undefined> {
    const storageDomain = (): Promise<string | undefined> => this.job.storageDomain(this.#disk, signal);
    return ownHost(this.session.api, storageDomain, signal);
  }

  async #completed(
    moved: TransferProgress | undefined,
  ): Promise<{ readonly diskId: string; readonly moved: TransferProgress | undefined }> {
    await this.#forget();
    this.session.steps.begin(`${this.job.direction} completed`);
    return { diskId: this.#disk, moved };
  }

  /** The command failed. */
  async #leave(error: unknown): Promise<void> {
    const { log } = this.session;
    try {
      if (error instanceof EndedByEngineError) {
        await this.#transfer?.over();
        await this.#forget();
        await this.#removeRest();
      } else if (this.isResumed && this.#isWorthKeeping && !(error instanceof VerificationError)) {
        await this.#pause();
      } else {
        await this.#takeBack();
      }
    } catch (failure: unknown) {
      const places = [
        ...(this.#transfer === undefined ? [] : [`transfer ${this.#transfer.id}`]),
        ...(this.#diskId === undefined ? [] : [`disk ${this.#diskId}`]),
      ];
      log.error(`The engine may still have ${places.join(' and ')}: ${errorMessage(failure)}`);
    }
  }

  async #pause(): Promise<void> {
    if (this.#transfer === undefined) return;
    this.session.steps.begin('pausing transfer');
    await this.#transfer.pause();
    process.stderr.write(`Transfer ${this.#transfer.id} is paused: the same command goes on\n`);
  }

  /** Cancels what was begun. What was uploaded is of no use. */
  async #takeBack(): Promise<void> {
    if (this.#transfer !== undefined && isOpenPhase(await this.#transfer.phase())) {
      this.session.steps.begin('cancelling transfer');
      await this.#transfer.cancel();
    }
    await this.#transfer?.over();
    await this.#removeRest();
    await this.#forget();
  }

  /** The engine removes the disk of an upload that it has ended, or leaves it illegal. */
  async #removeRest(statuses: readonly DiskStatus[] = ['ok', 'illegal']): Promise<void> {
    const { api, log } = this.session;
    const diskId = this.#diskId;
    if (this.job.direction === 'download' || diskId === undefined) return;
    const soon = AbortSignal.timeout(unlockMilliseconds);
    const { status } = await untilKnown(async () => {
      const found = await api.disk(diskId, soon);
      return found?.status === 'locked' ? undefined : { status: found?.status };
    }, soon);
    if (status === undefined || !statuses.includes(status)) return;
    log.info(`Removing disk ${diskId}`);
    await api.removeDisk(diskId, never);
  }

  async #remember(record: { readonly diskId: string; readonly transferId?: string }): Promise<void> {
    if (this.isResumed) await this.memory.records.save(record);
  }

  async #forget(): Promise<void> {
    await this.memory.records.remove();
    await this.memory.state.remove();
  }

  get #disk(): string {
    if (this.#diskId === undefined) throw new Error('There is no disk yet');
    return this.#diskId;
  }
}

/** A transfer in it can be gone on with. */
function isOpenPhase(phase: string | undefined): boolean {
  return (
    phase !== undefined &&
    (phase.startsWith('paused') || ['initializing', 'transferring', 'resuming', 'unknown'].includes(phase))
  );
}

async function isPausedBy(error: unknown, transfer: ImageTransfer): Promise<boolean> {
  if (!(error instanceof TransferError) || error instanceof StoppedError) return false;
  return (await transfer.phase())?.startsWith('paused') === true;
}
