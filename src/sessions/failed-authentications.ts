import type { Clock } from '../base/clock.js';
import { type ServiceError, TooManyFailuresError } from '../base/errors.js';
import { networkOf } from '../wire/client-network.js';

export interface FailedAuthenticationsOptions {
  /** How many failures in a row an address is answered for. */
  readonly failuresMax: number;
  /** How many more it is answered for as time goes by. */
  readonly failuresPerSecond: number;
  /** How many addresses are remembered: those that failed last. */
  readonly addressesMax: number;
}

interface Bucket {
  failuresLeft: number;
  updatedSeconds: number;
}

/**
 * Limits failed authentications for each client address (a token bucket): who tries credentials is told
 * less and less often that one was wrong, and why. Only failures count, and only failures are refused,
 * since many clients may share the address of a gateway: those that show the right credential never notice.
 */
export class FailedAuthentications {
  /** In the order in which they failed last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(
    private readonly options: FailedAuthenticationsOptions,
    private readonly clock: Clock,
    private readonly onLimited: (network: string) => void = () => undefined,
  ) {}

  /** How many addresses are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /**
   * Counts a failure.
   * @param address of the client; undefined when its connection is gone already
   * @returns what to answer it with: `error`, or a TooManyFailuresError beyond the limit
   */
  refusal(address: string | undefined, error: ServiceError): ServiceError {
    if (address === undefined) return error;
    const network = networkOf(address);
    const bucket = this.#refilled(network);
    // Set anew, it is the last one of the map.
    this.#buckets.delete(network);
    this.#buckets.set(network, bucket);
    this.#forgetOldest();
    if (bucket.failuresLeft >= 1) {
      bucket.failuresLeft--;
      if (bucket.failuresLeft < 1) this.onLimited(network);
      return error;
    }
    const { failuresPerSecond } = this.options;
    return new TooManyFailuresError(Math.ceil((1 - bucket.failuresLeft) / failuresPerSecond));
  }

  #refilled(network: string): Bucket {
    const { failuresMax, failuresPerSecond } = this.options;
    const nowSeconds = this.clock.monotonicSeconds();
    const bucket = this.#buckets.get(network);
    if (bucket === undefined) return { failuresLeft: failuresMax, updatedSeconds: nowSeconds };
    const gained = (nowSeconds - bucket.updatedSeconds) * failuresPerSecond;
    return { failuresLeft: Math.min(failuresMax, bucket.failuresLeft + gained), updatedSeconds: nowSeconds };
  }

  #forgetOldest(): void {
    if (this.#buckets.size <= this.options.addressesMax) return;
    for (const network of this.#buckets.keys()) {
      this.#buckets.delete(network);
      return;
    }
  }
}
