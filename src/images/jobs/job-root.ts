import { errorStatus } from '../../wire/error-response.js';
import { describeError, type Logger } from '../../log/logger.js';
import type { LogFields } from '../../wire/exchange.js';
import type { Exchange } from '../../wire/exchange.js';
import type { ProgressListener } from '../../base/lease.js';
import type { OperationRoot } from '../../tickets/operation-root.js';
import type { Job } from './job.js';
import type { JobList } from './job-list.js';

/**
 * What the operation of a job is done for. It outlives the request that it was asked for by, and has a log
 * record of its own, which names that request.
 */
export class JobRoot implements OperationRoot {
  readonly logFields: LogFields = {};
  readonly listener: string;
  /** Nobody is waited for. */
  readonly clientSeconds = 0;
  readonly #requestId: string;
  #begun = false;

  constructor(
    private readonly job: Job,
    exchange: Exchange,
    private readonly logger: Logger,
  ) {
    this.listener = exchange.listener;
    this.#requestId = exchange.requestId;
    exchange.logFields['job'] = job.id;
    const { transfer_id: transferId } = exchange.logFields;
    if (transferId !== undefined) this.logFields['transfer_id'] = transferId;
  }

  get signal(): AbortSignal {
    return this.job.signal;
  }

  abort(reason: Error): void {
    this.job.abort(reason);
  }

  showSignsOfLife(): () => void {
    return () => undefined;
  }

  /**
   * Does the work of the job. Until that has begun it is the business of the request: it ends with it, and is
   * forgotten when it is refused. Afterwards the job tells by itself how it ends.
   * @param begun resolves once nothing can refuse the work any more
   * @throws what refuses it
   */
  async untilBegun(
    exchange: Exchange,
    list: JobList,
    begun: Promise<undefined>,
    work: (onProgress: ProgressListener) => Promise<object | undefined>,
  ): Promise<void> {
    const abandon = (): void => {
      this.abort(exchange.signal.reason as Error);
    };
    exchange.signal.addEventListener('abort', abandon);
    try {
      exchange.signal.throwIfAborted();
      await Promise.race([begun, this.#run(work)]);
    } catch (error: unknown) {
      list.forget(this.job);
      throw error;
    } finally {
      exchange.signal.removeEventListener('abort', abandon);
    }
    this.#hasBegun();
  }

  #hasBegun(): void {
    this.#begun = true;
    if (!this.job.running) this.#report();
  }

  /** @throws what `work` throws before it has begun */
  async #run(work: (onProgress: ProgressListener) => Promise<object | undefined>): Promise<void> {
    try {
      const result = await work(({ lengthBytes }) => {
        this.job.progressed(lengthBytes);
      });
      this.job.succeeded(result);
    } catch (error: unknown) {
      this.logFields['error'] = describeError(error);
      this.logFields['status'] = errorStatus(error);
      this.job.failed(error);
      if (!this.#begun) throw error;
    } finally {
      if (this.#begun) this.#report();
    }
  }

  #report(): void {
    const { id, kind } = this.job;
    const { state, bytes_per_second } = this.job.info();
    const record = {
      request_id: this.#requestId,
      listener: this.listener,
      job: id,
      kind,
      ...this.logFields,
      state,
      bytes_per_second,
    };
    if (state === 'failed') this.logger.error(record, 'Job ended');
    else this.logger.info(record, 'Job ended');
  }
}
