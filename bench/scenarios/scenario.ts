import type { WorkDone } from '../measure.js';
import type { BenchServer } from '../server.js';
import type { Side } from '../side.js';
import type { Stand } from '../stand.js';

/** One kind of work. It runs against fresh servers of each side. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Who is compared, where that is not ours with the peer. */
  readonly sides?: readonly Side[];
  /**
   * Starts what one side needs; all of it ends with `lifetime`.
   * @throws NotPossibleError when this machine or service cannot do it
   */
  start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject>;
}

/** One side of a scenario, ready to work. Any method throws when an answer was wrong. */
export interface Subject {
  /** Whose CPU time and memory counts. */
  readonly measured: readonly BenchServer[];
  /** Does the work once and compares everything that comes out of it. */
  warmUp(): Promise<void>;
  /** What has to be done before a run and is not part of it. */
  beforeRun?(round: number): Promise<void>;
  run(round: number): Promise<WorkDone>;
  /** Looks at what a run has left behind. */
  afterRun?(round: number): Promise<void>;
}

/** The scenario cannot run here; the message completes "skipped: ". */
export class NotPossibleError extends Error {}
