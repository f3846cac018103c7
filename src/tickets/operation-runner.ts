import { BusyTime } from '../base/busy-time.js';
import type { Exchange } from '../wire/exchange.js';
import type { Lease, Permit, ProgressListener } from '../base/lease.js';
import type { OperationKind } from '../contract/operation-kind.js';
import type { OperationRoot } from './operation-root.js';
import type { TransferObserver } from './transfer-observer.js';

export interface OperationStart<L extends Lease> {
  readonly kind: OperationKind;
  /**
   * Takes the lease, whose root is that of the operation.
   * @throws what refuses the operation, which has not begun then
   */
  readonly begin: (onProgress: ProgressListener) => L;
}

/** What an operation works with while it runs. */
export interface RunningOperation<L extends Lease> {
  readonly lease: L;
  /** Adds up how long storage, or at the proxy the daemon, is waited for. */
  readonly backendTime: BusyTime;
  /** Where the image is, e.g. `file`, is known from now on. */
  readonly located: (backend: string) => void;
}

/**
 * What all operations on images have in common, whether the image is here or at another daemon. While one
 * runs it has a lease of what permits it, and a client that asked for signs of life gets them. How much it
 * moved, and where its time went, is told to the log and to whoever observes.
 *
 * Whatever ends an operation early aborts its root: the client leaves or is silent for too long, the
 * service stops, the permit is withdrawn.
 */
export class OperationRunner {
  constructor(private readonly observer?: TransferObserver) {}

  /** The client has `permit`: from here on that says how long the connection may be silent. */
  admit({ connection, logFields }: Exchange, permit: Permit): void {
    connection.authorized(permit.inactivityTimeoutSeconds);
    logFields['transfer_id'] = permit.transferId;
  }

  /** @throws what `begin` and `work` throw, or the reason for which the root was aborted */
  async run<L extends Lease, T>(
    root: OperationRoot,
    { kind, begin }: OperationStart<L>,
    work: (operation: RunningOperation<L>) => Promise<T>,
  ): Promise<T> {
    const { logFields, signal } = root;
    logFields['operation'] = kind;
    let doneBytes = 0;
    const lease = begin(({ lengthBytes }) => {
      doneBytes += lengthBytes;
      observed?.progressed(lengthBytes);
    });
    const startedAt = performance.now();
    const backendTime = new BusyTime();
    const observed = this.observer?.begin(kind, root.listener);
    const located = (backend: string): void => {
      logFields['backend'] = backend;
      observed?.located(backend);
    };
    const endSigns = root.showSignsOfLife();
    try {
      signal.throwIfAborted();
      return await work({ lease, backendTime, located });
    } catch (error: unknown) {
      // What an operation fails with after it was aborted is a consequence of that.
      throw signal.aborted ? signal.reason : error;
    } finally {
      endSigns();
      lease.end();
      const backendSeconds = backendTime.seconds;
      logFields['bytes'] = doneBytes;
      logFields['backend_milliseconds'] = Math.round(backendSeconds * 1000);
      observed?.ended({
        totalSeconds: (performance.now() - startedAt) / 1000,
        backendSeconds,
        clientSeconds: root.clientSeconds,
      });
    }
  }
}
