import { measure, type Measurement } from './measure.js';
import { NotPossibleError, type Scenario, type Subject } from './scenarios/scenario.js';
import type { Side } from './side.js';
import type { Stand } from './stand.js';

/** What came out of a scenario: the runs of each side in the order of the rounds, or why there are none. */
export type Outcome =
  | { readonly kind: 'measured'; readonly runs: ReadonlyMap<Side['name'], readonly Measurement[]> }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'void'; readonly reason: string };

/**
 * Runs a scenario on new servers of every side: a warm-up each that compares all bytes, then rounds in which
 * the sides take turns, A B, B A, A B, so that being first is nobody's advantage. One wrong answer makes all
 * of it void.
 */
export async function runScenario(
  stand: Stand,
  sides: readonly Side[],
  scenario: Scenario,
): Promise<Outcome> {
  await using lifetime = new AsyncDisposableStack();
  const compared = scenario.sides ?? sides;
  try {
    const subjects = new Map<Side, Subject>();
    for (const side of compared) subjects.set(side, await scenario.start(stand, side, lifetime));
    for (const subject of subjects.values()) await subject.warmUp();
    const runs = new Map(compared.map((side) => [side.name, [] as Measurement[]]));
    for (let round = 0; round < stand.options.rounds; round += 1) {
      const order = round % 2 === 0 ? [...subjects] : [...subjects].reverse();
      for (const [side, subject] of order) runs.get(side.name)?.push(await runOnce(subject, round));
    }
    return { kind: 'measured', runs };
  } catch (error: unknown) {
    if (error instanceof NotPossibleError) return { kind: 'skipped', reason: error.message };
    return { kind: 'void', reason: error instanceof Error ? error.message : String(error) };
  }
}

async function runOnce(subject: Subject, round: number): Promise<Measurement> {
  await subject.beforeRun?.(round);
  const pids = subject.measured.map(({ program }) => program.pid);
  const measurement = await measure(pids, () => subject.run(round));
  await subject.afterRun?.(round);
  return measurement;
}
