import { ConflictError } from '../../base/errors.js';
import type { AbortRoot } from '../../base/lease.js';
import { problemOf, type Problem } from '../../wire/error-response.js';

export type JobState = 'running' | 'done' | 'failed' | 'cancelled';

/** What a client is told of a job, in the form of the contract. */
export interface JobInfo {
  readonly id: number;
  readonly kind: string;
  readonly state: JobState;
  readonly done: number;
  readonly total: number;
  readonly bytes_per_second: number;
  readonly result?: object;
  readonly problem?: Problem;
}

/**
 * Work that was asked for and goes on whether or not anybody waits for it. It is the root of its own
 * operation, and stops with it: when it is cancelled, or when the ticket is.
 */
export class Job implements AbortRoot {
  readonly #controller = new AbortController();
  readonly #startedAt = performance.now();
  readonly #ended = Promise.withResolvers<undefined>();
  readonly #forgotten = Promise.withResolvers<undefined>();
  readonly #listeners = new Set<() => void>();
  #state: JobState = 'running';
  #doneBytes = 0;
  #totalBytes = 0;
  #seconds: number | undefined;
  #result: object | undefined;
  #problem: Problem | undefined;

  constructor(
    /** Counts from 1 among the jobs that it is listed with. */
    readonly id: number,
    readonly kind: string,
  ) {}

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  cancel(): void {
    this.abort(new ConflictError('The job was canceled'));
  }

  /** Something of it may still run. */
  get running(): boolean {
    return this.#state === 'running';
  }

  /** Resolves when nothing of it runs any more, however it ended. */
  get ended(): Promise<undefined> {
    return this.#ended.promise;
  }

  /** It has done all that it was to do. */
  get done(): boolean {
    return this.#state === 'done';
  }

  /** Resolves when nobody can ask for it any more but by its ticket being gone. */
  get forgotten(): Promise<undefined> {
    return this.#forgotten.promise;
  }

  /** It is not listed any more. */
  forget(): void {
    this.#forgotten.resolve(undefined);
  }

  /** How much there is to do, once that is known. */
  set totalBytes(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  /** Called for each I/O. */
  progressed(lengthBytes: number): void {
    this.#doneBytes += lengthBytes;
    this.#changed();
  }

  succeeded(result: object | undefined): void {
    this.#result = result;
    this.#end('done');
  }

  failed(error: unknown): void {
    this.#problem = problemOf(error);
    this.#end(this.signal.aborted ? 'cancelled' : 'failed');
  }

  /**
   * Calls `listener` after each change of what `info` tells, as often as for each I/O, so it must be quick.
   * @returns ends it
   */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  info(): JobInfo {
    const seconds = this.#seconds ?? (performance.now() - this.#startedAt) / 1000;
    return {
      id: this.id,
      kind: this.kind,
      state: this.#state,
      done: this.#doneBytes,
      total: this.#totalBytes,
      bytes_per_second: seconds > 0 ? Math.round(this.#doneBytes / seconds) : 0,
      ...(this.#result === undefined ? {} : { result: this.#result }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  #end(state: JobState): void {
    this.#state = state;
    this.#seconds = (performance.now() - this.#startedAt) / 1000;
    this.#ended.resolve(undefined);
    this.#changed();
    this.#listeners.clear();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
