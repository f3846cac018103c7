import { setTimeout } from 'node:timers/promises';
import { TransferError } from '#sdk/transfer';
import type { Log } from '../log.js';
import { never } from '../never.js';
import type { EngineApi, EngineTransfer, TransferAction } from './engine-api.js';
import { untilKnown } from './polling.js';

/** The engine has ended, or does not go on with, a transfer. */
export class EndedByEngineError extends Error {}

/** So often in a row is a transfer resumed that the engine pauses at once. */
const resumesMax = 3;
/** So often may it still be in its phase of before after it was told to end. */
const stalePollsMax = 5;
/** A transfer is kept alive so many times as often as the engine wants to hear of it. */
const extendsPerTimeout = 3;

/** One image transfer of the engine, from its phase `initializing` to its end. */
export class ImageTransfer {
  constructor(
    private readonly api: EngineApi,
    readonly id: string,
    private readonly diskId: string,
    private readonly log: Log,
  ) {}

  /**
   * Waits until it has urls, and resumes it where it is paused.
   * @throws EndedByEngineError
   */
  async open(signal: AbortSignal): Promise<EngineTransfer> {
    let resumes = 0;
    return untilKnown(async () => {
      const transfer = await this.api.transfer(this.id, signal);
      const phase = transfer?.phase ?? 'unknown to the engine';
      if (phase === 'transferring') return transfer;
      if (phase.startsWith('paused')) {
        if (resumes >= resumesMax)
          throw new EndedByEngineError('The engine pauses the transfer again and again');
        resumes += 1;
        this.log.info(`Transfer ${this.id} is ${phase}: resuming it`);
        await this.#attempt('resume', signal);
        return undefined;
      }
      if (phase === 'initializing' || phase === 'resuming' || phase === 'unknown') return undefined;
      throw new EndedByEngineError(`The transfer ended at the engine: it is ${phase}`);
    }, signal);
  }

  /** @returns the phase; undefined when the engine has no such transfer */
  async phase(): Promise<string | undefined> {
    return (await this.api.transfer(this.id, never))?.phase;
  }

  /** Does `work` while the engine is told that somebody is there. */
  async extended<T>(inactivitySeconds: number, work: () => Promise<T>): Promise<T> {
    const ended = new AbortController();
    const extending = this.#extendUntil(ended.signal, inactivitySeconds / extendsPerTimeout);
    try {
      return await work();
    } finally {
      ended.abort();
      await extending;
    }
  }

  /** Resolves when the engine says that the disk is complete. @throws EndedByEngineError, TransferError */
  async finalize(): Promise<void> {
    const refusal = await this.#attempt('finalize', never);
    const phase = await this.phase();
    if (refusal !== undefined && (phase === 'transferring' || phase?.startsWith('paused') === true))
      throw refusal;
    await this.untilFinalized();
  }

  /** Waits for the end of what is being finalized. @throws EndedByEngineError */
  async untilFinalized(): Promise<void> {
    const outcome = await this.over();
    // Engines of before 4.4.7 have forgotten it: its disk shows what became of it.
    const isGood = outcome === undefined ? await this.#isDiskGood() : outcome === 'finished_success';
    if (!isGood)
      throw new EndedByEngineError(
        `The engine could not finalize the transfer: ${outcome ?? 'its disk is not there, or is illegal'}`,
      );
  }

  /** It can be resumed later. */
  async pause(): Promise<void> {
    const refusal = await this.#attempt('pause', never);
    if (refusal === undefined) return;
    const phase = await this.phase();
    if (phase?.startsWith('paused') !== true) throw refusal;
  }

  /** Has the engine end it. What was uploaded is the engine's to remove. */
  async cancel(): Promise<void> {
    await this.#attempt('cancel', never);
  }

  /**
   * Waits until it is over, as it is about to be.
   * @returns the last phase; undefined when the engine has forgotten it
   */
  async over(): Promise<string | undefined> {
    let stalePolls = 0;
    const { phase } = await untilKnown(async () => {
      const now = await this.phase();
      if (now === undefined || now.startsWith('finished')) return { phase: now };
      if (now === 'transferring' || now.startsWith('paused')) stalePolls += 1;
      if (stalePolls > stalePollsMax)
        throw new EndedByEngineError(`The engine does not end the transfer: it is ${now}`);
      return undefined;
    }, never);
    return phase;
  }

  async #isDiskGood(): Promise<boolean> {
    const status = await untilKnown(async () => {
      const disk = await this.api.disk(this.diskId, never);
      return disk?.status === 'locked' ? undefined : (disk?.status ?? 'illegal');
    }, never);
    return status === 'ok';
  }

  /** @returns what the engine refused, because the transfer is in another phase or not there */
  async #attempt(action: TransferAction, signal: AbortSignal): Promise<TransferError | undefined> {
    try {
      await this.api.act(this.id, action, signal);
      return undefined;
    } catch (error: unknown) {
      const { status = 0 } = error instanceof TransferError ? error.details : {};
      if (status < 400 || status === 401 || status >= 500) throw error;
      return error as TransferError;
    }
  }

  async #extendUntil(ended: AbortSignal, everySeconds: number): Promise<void> {
    try {
      for (;;) {
        await setTimeout(everySeconds * 1000, undefined, { signal: ended });
        const refusal = await this.#attempt('extend', ended);
        if (refusal !== undefined)
          this.log.info(`Transfer ${this.id} cannot be extended: ${refusal.message}`);
      }
    } catch (error: unknown) {
      // What moves the disk finds out by itself when its ticket has ended.
      if (!ended.aborted) this.log.warning(`Transfer ${this.id} is not extended any more: ${String(error)}`);
    }
  }
}
