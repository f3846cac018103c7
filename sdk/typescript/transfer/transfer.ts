import { BlockDigests } from './block-digests.js';
import { RangeSet, type ByteRange } from './byte-ranges.js';
import { isHashing, type DurableRanges, type Finding, type ReadableDisk, type WritableDisk } from './disk.js';
import { AbortedError, StoppedError, TransferError } from './failure.js';
import { Gate } from './gate.js';
import { sha256, type Hasher } from './hashing.js';
import { pauseFor } from './pause-for.js';
import { planTransfer, type PlannedPiece } from './plan.js';
import { findingsBefore } from './preflight.js';
import { ProgressMeter, type TransferPhase, type TransferProgress } from './progress.js';
import { RateLimit } from './rate-limit.js';
import { Retrier } from './retry.js';
import { rangesThere } from './resume.js';
import { steadyExtents } from './steady-extents.js';
import type { StateStore } from './transfer-state.js';
import { verifyTransfer } from './verification.js';
import { WriteAccount } from './write-account.js';
import { zeroRuns, type DataRun } from './zero-runs.js';

export interface TransferOptions {
  /** How many pieces are moved at once. */
  readonly workers: number;
  /** The length of a piece, and of a block that is hashed. Each worker has as much memory. */
  readonly blockBytes: number;
  /** How often in a row something may fail before anything else succeeds. */
  readonly retriesMax: number;
  /** Undefined for no limit. */
  readonly bytesPerSecond: number | undefined;
  /** Zeroes are not looked for, and holes are written. */
  readonly sparse: boolean;
  /** Compares what was moved with what a service hashes it to. */
  readonly verify: boolean;
  /** Asks both disks first whether it would fail, and then does not begin. */
  readonly preflight: boolean;
  /** Told of what was found then. */
  readonly onFinding: (finding: Finding) => void;
  readonly hasher: Hasher;
  /** How often what was written is flushed for the sake of a later run, where a state is kept. */
  readonly checkpointSeconds: number;
  /** Where it is remembered how far the transfer is; without it, it can be resumed only while it exists. */
  readonly state: StateStore | undefined;
  /** By what the source is known to be the same in a later run. */
  readonly sourceIdentity: string;
  /** By what the target is known to be the same in a later run. */
  readonly targetIdentity: string;
  /** Told of each failure that is tried again, and how long that waits. */
  readonly onRetry: (error: TransferError, delaySeconds: number) => void;
}

const MiB = 2 ** 20;

export const transferDefaults: TransferOptions = {
  workers: 4,
  blockBytes: 4 * MiB,
  retriesMax: 10,
  bytesPerSecond: undefined,
  sparse: true,
  verify: false,
  preflight: true,
  onFinding: () => undefined,
  hasher: sha256,
  checkpointSeconds: 60,
  state: undefined,
  sourceIdentity: '',
  targetIdentity: '',
  onRetry: () => undefined,
};

/** Shorter zeroes within data are sent: a request costs more than they do. */
const zeroRunBytesMin = 256 * 1024;
/** How often progress is told at most. */
const progressMilliseconds = 250;

/**
 * Makes `target` as `source`. It begins at once.
 * @param target at least as large; what it has beyond the source stays
 */
export function startTransfer(
  source: ReadableDisk,
  target: WritableDisk,
  options: Partial<TransferOptions> = {},
): Transfer {
  return new Transfer(source, target, { ...transferDefaults, ...options });
}

/** Where a piece of data goes. */
interface DataPlace {
  readonly piece: PlannedPiece & { readonly kind: 'data' };
  readonly done: RangeSet;
  readonly signal: AbortSignal;
}

/**
 * A disk on its way to another. Iterating over it gives its progress, the newest state each time, and ends
 * with it; the outcome is in `result`.
 */
export class Transfer implements AsyncIterable<TransferProgress> {
  readonly #controller = new AbortController();
  readonly #gate = new Gate();
  readonly #meter: ProgressMeter;
  readonly #retrier: Retrier;
  readonly #rateLimit: RateLimit;
  readonly #digests: BlockDigests | undefined;
  readonly #account = new WriteAccount();
  /** The account of the target has nothing that this transfer has not written. */
  #ownsAccount = false;
  readonly #stopped = new AbortController();
  readonly #over = new AbortController();
  #checkpointAt: number;
  #changed = Promise.withResolvers<undefined>();
  /** Those that no worker has. */
  readonly #buffers: Uint8Array[] = [];
  /** The place of the piece that is next. */
  #taking: Promise<unknown> = Promise.resolve();
  /**
   * When all is on stable storage, and verified where that was asked for.
   * Rejects with PreflightError, TransferError, VerificationError, AbortedError, or what a disk failed with.
   */
  readonly result: Promise<TransferProgress>;

  constructor(
    private readonly source: ReadableDisk,
    private readonly target: WritableDisk,
    private readonly options: TransferOptions,
  ) {
    const { blockBytes, hasher, verify, retriesMax, bytesPerSecond } = options;
    this.#meter = new ProgressMeter(source.sizeBytes);
    this.#checkpointAt = this.#nextCheckpoint();
    this.#retrier = new Retrier({
      retriesMax,
      onRetry: (error, delaySeconds) => {
        this.#meter.retries += 1;
        this.#tell();
        options.onRetry(error, delaySeconds);
      },
    });
    this.#rateLimit = new RateLimit(bytesPerSecond);
    this.#digests = verify ? new BlockDigests(hasher, blockBytes, source.sizeBytes) : undefined;
    this.result = this.#run();
    // Whoever only iterates learns from the last progress that it failed.
    this.result.catch(() => undefined);
  }

  get progress(): TransferProgress {
    return this.#meter.now();
  }

  /** Begins no piece any more; those that are under way end. Idempotent. */
  pause(): void {
    if (isOver(this.#meter)) return;
    this.#gate.close();
    this.#setPhase('paused');
  }

  /** Goes on. Idempotent. */
  resume(): void {
    if (this.#gate.isOpen) return;
    this.#gate.open();
    this.#setPhase('transferring');
  }

  /** Tries again at once what waits to be tried again: what it failed for may have passed. */
  retryNow(): void {
    this.#retrier.retryNow();
  }

  /**
   * Begins no piece any more, flushes what is written, and remembers it: then the transfer ends with
   * StoppedError. Nothing that fails meanwhile is tried again; what is not flushed then, a later run writes
   * anew. Idempotent.
   */
  stop(): void {
    this.#stopped.abort(new StoppedError());
    this.#retrier.stop();
    this.#gate.open();
  }

  /** Gives up at once. What is on the target stays, and a later run with the same state goes on. */
  abort(reason: Error = new AbortedError()): void {
    this.#controller.abort(reason);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TransferProgress> {
    for (;;) {
      const progress = this.progress;
      yield progress;
      if (isOver(progress)) return;
      await this.#changed.promise;
      // The last progress is told at once.
      await pauseFor(progressMilliseconds / 1000, this.#over.signal).catch(() => undefined);
    }
  }

  async #run(): Promise<TransferProgress> {
    try {
      if (this.options.preflight) await this.#lookFirst();
      await this.#moveAll(await this.#resumed());
      if (this.#digests !== undefined) await this.#verify(this.#digests);
      await this.options.state?.remove();
      this.#setPhase('done');
      return this.progress;
    } catch (error: unknown) {
      const reason: unknown = this.#controller.signal.aborted ? this.#controller.signal.reason : error;
      this.#setPhase(reason instanceof StoppedError ? 'stopped' : 'failed');
      throw reason;
    }
  }

  async #lookFirst(): Promise<void> {
    const { source, target } = this;
    const signal = this.#untilStopped;
    const ask = <T>(work: () => Promise<T>): Promise<T> => this.#retrier.run(signal, work);
    for (const finding of await findingsBefore({ source, target, signal, ask }))
      this.options.onFinding(finding);
  }

  /** Moves what is not there, again where a crash of the other side has lost something that it had taken. */
  async #moveAll(there: RangeSet): Promise<void> {
    let done = there;
    for (let passes = 0; passes <= this.options.retriesMax; passes += 1) {
      const lossesBefore = this.#account.losses;
      await this.#moveOnce(done);
      if (this.#isStopping) {
        await this.#save();
        throw new StoppedError();
      }
      if (this.#account.losses === lossesBefore) return;
      done = RangeSet.of(this.#account.durable);
      this.#meter.restart();
    }
    throw new TransferError('The service has lost again and again what it had taken', { retryable: false });
  }

  async #moveOnce(done: RangeSet): Promise<void> {
    try {
      await this.#move(done);
      this.#setPhase('flushing');
      await this.#flush();
    } catch (error: unknown) {
      // Who stops a transfer does not wait for a service that is away.
      const isAway = error instanceof TransferError && error.details.retryable;
      if (!this.#isStopping || !isAway) throw error;
    }
  }

  get #isStopping(): boolean {
    return this.#stopped.signal.aborted;
  }

  /** For what nothing is left of when it ends early. */
  get #untilStopped(): AbortSignal {
    return AbortSignal.any([this.#controller.signal, this.#stopped.signal]);
  }

  /** What is there from a run before. */
  async #resumed(): Promise<RangeSet> {
    const { source, target } = this;
    const { state: store, sourceIdentity, targetIdentity, hasher, blockBytes } = this.options;
    const signal = this.#untilStopped;
    const state = await store?.load();
    // What was only written would look as if it were there, and could still be lost.
    await this.#retrier.run(signal, () => target.flush(signal));
    const known = await this.#askDurable(signal);
    // Without a state nobody knows whose bytes they are.
    const ranges =
      state === undefined
        ? new RangeSet()
        : await this.#retrier.run(signal, () =>
            rangesThere({
              ...{ state, known, source, target, sourceIdentity, targetIdentity },
              ...{ hasher, blockBytes, signal },
            }),
          );
    const isSameTarget = state?.targetIdentity === targetIdentity;
    this.#ownsAccount = known?.receivedBytes === 0 || (isSameTarget && state.ownsAccount === true);
    this.#account.begin(known, ranges);
    await this.#save();
    return ranges;
  }

  async #askDurable(signal: AbortSignal): Promise<DurableRanges | undefined> {
    return this.#retrier.run(signal, () => this.target.durable(signal));
  }

  async #move(done: RangeSet): Promise<void> {
    this.#setPhase(this.#gate.isOpen ? 'transferring' : 'paused');
    const { source, target, options } = this;
    const { signal } = this.#controller;
    const pieces = planTransfer({
      sizeBytes: source.sizeBytes,
      blockBytes: options.blockBytes,
      source: steadyExtents(source, this.#retrier, signal),
      // What an earlier run has written is not zero any more, and what it has zeroed is.
      target: steadyExtents(target, this.#retrier, signal),
      done,
    });
    const failure = new AbortController();
    const stopped = AbortSignal.any([signal, failure.signal]);
    const workers = Array.from({ length: options.workers }, () => this.#work(pieces, done, stopped));
    try {
      await Promise.all(workers);
    } catch (error: unknown) {
      failure.abort(error);
      throw error;
    } finally {
      await Promise.allSettled(workers);
      await pieces.return(undefined);
    }
  }

  async #work(pieces: AsyncGenerator<PlannedPiece>, done: RangeSet, signal: AbortSignal): Promise<void> {
    const buffer = this.#buffers.pop() ?? this.#newBuffer();
    try {
      for (;;) {
        await this.#gate.pass(signal);
        if (this.#isStopping) return;
        const piece = await this.#take(pieces);
        if (piece === undefined) return;
        await this.#movePiece(piece, { buffer, done }, signal);
        if (this.options.state !== undefined && performance.now() >= this.#checkpointAt)
          await this.#checkpoint();
        this.#tell();
      }
    } finally {
      this.#buffers.push(buffer);
    }
  }

  #newBuffer(): Uint8Array {
    const { source, target, options } = this;
    const { blockBytes } = options;
    return source.memory?.(blockBytes) ?? target.memory?.(blockBytes) ?? new Uint8Array(blockBytes);
  }

  /** Each piece goes to one worker. */
  async #take(pieces: AsyncGenerator<PlannedPiece>): Promise<PlannedPiece | undefined> {
    const taken = this.#taking.then(() => pieces.next() as Promise<IteratorResult<PlannedPiece, unknown>>);
    this.#taking = taken.catch(() => undefined);
    const next = await taken;
    return next.done === true ? undefined : next.value;
  }

  async #movePiece(
    piece: PlannedPiece,
    { buffer, done }: { buffer: Uint8Array; done: RangeSet },
    signal: AbortSignal,
  ): Promise<void> {
    const { kind, offsetBytes, lengthBytes } = piece;
    if (kind === 'done') {
      this.#meter.resumedBytes += lengthBytes;
    } else if (kind === 'zero') {
      if (piece.targetIsZero) this.#account.found(piece);
      else await this.#zero(piece, signal);
      this.#digests?.setZero(piece);
      this.#meter.zeroBytes += lengthBytes;
    } else {
      const data = buffer.subarray(0, lengthBytes);
      await this.#retrier.run(signal, () => this.source.read(data, offsetBytes, signal));
      const whole = [{ offsetBytes: 0, lengthBytes, zero: false }];
      const runs = this.options.sparse ? zeroRuns(data, zeroRunBytesMin) : whole;
      const isZero = runs.every(({ zero }) => zero);
      if (isZero) this.#digests?.setZero(piece);
      const hashed = isZero ? undefined : this.#digests?.hasher.digest(data);
      // A failed write must not leave a hash running over memory that is used again.
      const [written, digest] = await Promise.allSettled([
        this.#writeData(data, runs, { piece, done, signal }),
        hashed,
      ]);
      if (written.status === 'rejected') throw written.reason;
      if (digest.status === 'rejected') throw digest.reason;
      if (digest.value !== undefined) this.#digests?.set(offsetBytes, digest.value);
    }
  }

  async #writeData(
    data: Uint8Array,
    runs: readonly DataRun[],
    { piece: { offsetBytes, targetIsZero }, done, signal }: DataPlace,
  ): Promise<void> {
    for (const run of runs) {
      const range = { offsetBytes: offsetBytes + run.offsetBytes, lengthBytes: run.lengthBytes };
      if (run.zero && targetIsZero) {
        this.#account.found(range);
        continue;
      }
      for (const part of done.gaps(range)) {
        if (run.zero) {
          await this.#zero(part, signal);
          continue;
        }
        await this.#rateLimit.take(part.lengthBytes, signal);
        const start = part.offsetBytes - offsetBytes;
        const bytes = data.subarray(start, start + part.lengthBytes);
        await this.#retrier.run(signal, () => this.target.write(bytes, part.offsetBytes, signal));
        this.#account.wrote(part);
        this.#meter.sentBytes += part.lengthBytes;
      }
    }
    this.#meter.dataBytes += data.length;
  }

  async #zero(range: ByteRange, signal: AbortSignal): Promise<void> {
    await this.#retrier.run(signal, () => this.target.zero(range, signal));
    this.#account.wrote(range);
  }

  async #flush(): Promise<void> {
    const { signal } = this.#controller;
    await this.#account.flush(
      () => this.#retrier.run(signal, () => this.target.flush(signal)),
      () => this.#askDurable(signal),
    );
  }

  async #checkpoint(): Promise<void> {
    this.#checkpointAt = Infinity;
    await this.#flush();
    await this.#save();
    this.#checkpointAt = this.#nextCheckpoint();
  }

  #nextCheckpoint(): number {
    return performance.now() + this.options.checkpointSeconds * 1000;
  }

  async #save(): Promise<void> {
    const { sizeBytes } = this.source;
    const { state, sourceIdentity, targetIdentity } = this.options;
    await state?.save({
      version: 1,
      sizeBytes,
      sourceIdentity,
      targetIdentity,
      ownsAccount: this.#ownsAccount,
      durable: [...this.#account.durable],
    });
  }

  async #verify(seen: BlockDigests): Promise<void> {
    this.#setPhase('verifying');
    const { source, target } = this;
    const [hashing, other] = isHashing(target) ? [target, source] : [source, target];
    if (!isHashing(hashing)) throw new Error('Neither side can hash itself, so nothing can be verified');
    const equal = new RangeSet();
    const signal = this.#untilStopped;
    const onVerified = (bytes: number): void => {
      this.#meter.verifiedBytes += bytes;
      this.#tell();
    };
    await this.#retrier.run(signal, async () => {
      this.#meter.verifiedBytes = 0;
      await verifyTransfer({ seen, hashing, other, equal, signal, onVerified });
    });
  }

  #setPhase(phase: TransferPhase): void {
    this.#meter.phase = phase;
    if (isOver(this.#meter)) this.#over.abort();
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve(undefined);
    this.#changed = Promise.withResolvers<undefined>();
  }
}

function isOver({ phase }: Pick<TransferProgress, 'phase'>): boolean {
  return phase === 'done' || phase === 'stopped' || phase === 'failed';
}
