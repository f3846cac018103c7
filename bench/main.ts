// Measures the built service on this machine, beside the Python service where that is installed. Prints
// Markdown; progress goes to stderr. Exits with 1 when any answer was wrong: figures of wrong answers are
// worth nothing.
import { cpus, loadavg, release } from 'node:os';
import { needs } from '../test/support/requirements.js';
import { MiB } from '../src/base/units.js';
import { measureLimits } from './limits.js';
import { parseOptions, usage, type BenchOptions } from './options.js';
import { limitsTable, resultsTables, type ScenarioResult } from './report.js';
import { runScenario } from './runner.js';
import { scenarios } from './scenarios/all.js';
import { availableSides, type Side } from './side.js';
import { Stand } from './stand.js';

const usageExitCode = 2;
const missing = needs('curl', 'dd');
const { options, sides } = readSettings();
if (missing !== false) {
  console.error(`The benchmark ${missing}`);
  process.exit(usageExitCode);
}
const selected = scenarios.filter(({ name }) => options.selects(name));
if (selected.length === 0) {
  console.error(`No such scenario. There are: ${scenarios.map(({ name }) => name).join(', ')}`);
  process.exit(usageExitCode);
}
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stopEarly);

const results: ScenarioResult[] = [];
{
  await using stand = await Stand.create(options);
  console.log(describeMachine(options, sides));
  console.error('Measuring the limits of the machine');
  console.log(`\n${limitsTable(await measureLimits(stand))}\n`);
  for (const scenario of selected) {
    if (interruption.signal.aborted) break;
    console.error(`${scenario.name}: ${scenario.title}`);
    const outcome = await runScenario(stand, sides, scenario);
    if (outcome.kind !== 'measured') console.error(`  ${outcome.kind}: ${outcome.reason}`);
    results.push({ scenario, outcome });
  }
}
console.log(resultsTables(results, sides));
const isVoid = results.some(({ outcome }) => outcome.kind === 'void');
process.exit(isVoid || interruption.signal.aborted ? 1 : 0);

function readSettings(): { readonly options: BenchOptions; readonly sides: readonly Side[] } {
  try {
    return {
      options: parseOptions(process.argv.slice(2)),
      sides: availableSides(process.env['PEER_CMD']),
    };
  } catch (error: unknown) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    process.exit(usageExitCode);
  }
}

/**
 * Lets the scenario under way finish, so that its servers and files are cleaned up; a second signal ends at
 * once.
 */
function stopEarly(): void {
  interruption.abort();
  console.error('Stopping after this scenario');
}

function describeMachine({ imageBytes, rounds }: BenchOptions, compared: readonly Side[]): string {
  const [cpu] = cpus();
  const load = loadavg()
    .map((value) => value.toFixed(1))
    .join(' ');
  return [
    `${cpus().length} × ${cpu?.model ?? 'unknown CPU'}, Linux ${release()}, Node ${process.version}, ` +
      `load ${load}.`,
    `Images of ${imageBytes / MiB} MiB, ${rounds} rounds;`,
    compared.length > 1
      ? 'ratios are ours to the peer, below 1 is better except for ↑.'
      : 'no peer was found.',
  ].join(' ');
}
