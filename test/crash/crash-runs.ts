import { planOf } from './crash-plan.js';
import { CrashRun, type CrashReport } from './crash-run.js';
import { CrashWorld } from './crash-world.js';

/**
 * One run after the other, in two worlds: of a daemon that keeps its tickets over a restart, and of one that
 * does not.
 */
export class CrashRuns implements AsyncDisposable {
  readonly #worlds = new Map<boolean, CrashWorld>();

  constructor(private readonly seed: number) {}

  async run(number: number): Promise<CrashReport> {
    const plan = planOf(this.seed, number);
    let world = this.#worlds.get(plan.keepsTickets);
    if (world === undefined) {
      world = await CrashWorld.start(plan.keepsTickets);
      this.#worlds.set(plan.keepsTickets, world);
    }
    return new CrashRun(world, plan, number).toTheEnd();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const world of this.#worlds.values()) await world[Symbol.asyncDispose]();
  }
}
