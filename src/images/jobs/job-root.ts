import { errorStatus } from '../../wire/error-response.js';
import { describeError, type Logger } from '../../log/logger.js';
import type { LogFields } from '../../wire/exchange.js';
import type { Exchange } from '../../wire/exchange.js';
import type { ProgressListener } from '../../base/lease.js';
import type { OperationRoot } from '../../tickets/operation-root.js';
import type { Job } from './job.js';

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

  /** The client has its answer, so that from now on the job has to tell by itself how it ends. */
  begun(): void {
    this.#begun = true;
    if (!this.job.running) this.#report();
  }

  /**
   * Does the work of the job, and keeps what becomes of it.
   * @throws what `work` throws, which may be handled or not
   */
  async run(work: (onProgress: ProgressListener) => Promise<object | undefined>): Promise<void> {
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
