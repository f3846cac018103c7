/** Where the service reads time from; tests put a clock of their own in its place. */
export interface Clock {
  /**
   * Seconds on the host's CLOCK_MONOTONIC, with fractions. Ticket expiry uses only this one, so that a step
   * of the wall clock neither kills a running transfer nor revives an expired ticket.
   */
  monotonicSeconds(): number;
  /** Seconds since 1970-01-01 UTC, with fractions: what signed tickets and sessions are dated with. */
  unixSeconds(): number;
}

export const CLOCK = Symbol('CLOCK');

export const systemClock: Clock = {
  // libuv's hrtime is CLOCK_MONOTONIC on Linux, the clock that engine compares `expires` with.
  monotonicSeconds: () => Number(process.hrtime.bigint()) / 1e9,
  unixSeconds: () => Date.now() / 1000,
};
