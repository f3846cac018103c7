import type { Exchange } from '../../wire/exchange.js';
import type { Lease, Permit, ProgressListener } from '../../base/lease.js';
import type { OperationKind } from '../../contract/operation-kind.js';
import type { RelayTarget } from '../relay.proxy.js';

/** What a client was found to be allowed: requests for one image on one daemon. */
export interface RelayPermit extends Permit {
  /** The image itself, without sub-resource and query. */
  readonly image: RelayTarget;
  /** How much of the image may be used; undefined where only the daemon's ticket says it. */
  readonly sizeBytes: number | undefined;
  /** To be told to the client as `Session-Id`. */
  readonly sessionId: string | undefined;
  /**
   * Registers a request that is about to be relayed; the caller ends it whatever happens. When the permit
   * is withdrawn meanwhile, that aborts the exchange.
   * @throws NotAllowedError or UnavailableError when it was withdrawn already
   */
  begin(exchange: Exchange, kind: OperationKind, onProgress: ProgressListener): Lease;
}
