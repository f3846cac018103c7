import type { Exchange } from '../http/exchange.js';
import type { ImageRequest } from './image-request.js';
import type { ByteRange } from '../units.js';
import type { RelayTarget } from './relay.proxy.js';

/** What a client was found to be allowed: requests for one image on one daemon. */
export interface RelayPermit {
  /** The image itself, without sub-resource and query. */
  readonly image: RelayTarget;
  /** What logs call the transfer. */
  readonly transferId: string;
  readonly inactivityTimeoutSeconds: number;
  /** How much of the image may be used; undefined where only the daemon's ticket says it. */
  readonly sizeBytes: number | undefined;
  /** To be told to the client as `Session-Id`. */
  readonly sessionId: string | undefined;
  /**
   * Registers a request that is about to be relayed; the caller ends it whatever happens. When the permit is withdrawn meanwhile, it aborts the
   * exchange with what to tell the client.
   * @throws what refuses the request
   */
  begin(exchange: Exchange, request: ImageRequest): RunningRelay;
}

export interface RunningRelay {
  /**
   * A daemon is about to send this part of the image.
   * @throws RangeNotSatisfiableError when it is not the permit's to read
   */
  readonly checkAnswer: (range: ByteRange) => void;
  /** A part of the image was transferred, or is about to be. */
  progressed(range: ByteRange): void;
  end(): void;
}
