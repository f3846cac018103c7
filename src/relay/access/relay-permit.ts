import type { Exchange } from '../../wire/exchange.js';
import type { Lease, Permit, ProgressListener } from '../../base/lease.js';
import type { OperationKind } from '../../contract/operation-kind.js';
import type { DaemonTarget } from '../../daemons/ticket-url.js';

/** The right of a client to send requests for one image to the daemon that has it. */
export interface RelayPermit extends Permit {
  /** The image itself, without sub-resource and query. */
  readonly image: DaemonTarget;
  /** How much of the image may be used; undefined where only the daemon's ticket says it. */
  readonly sizeBytes: number | undefined;
  /** Sent to the client as `Session-Id`; undefined when there is no session. */
  readonly sessionId: string | undefined;
  /**
   * Registers a request before it is relayed. The caller ends the lease however the request ends. If the
   * permit is withdrawn while the request runs, the exchange is aborted.
   * @throws NotAllowedError or UnavailableError when the permit was withdrawn before
   */
  begin(exchange: Exchange, kind: OperationKind, onProgress: ProgressListener): Lease;
}
