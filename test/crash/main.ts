// npm run crash [-- --kills N --seed N --run N]: moves images while client, daemon, proxy and storage are
// killed, until the client was killed N times by signals. Prints what was seen, and exits with 1 when an
// image differs or too much was sent again.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { CrashRuns } from './crash-runs.js';
import type { CrashReport } from './crash-run.js';
import { clientKillsOf, describeRun, listOf, summary } from './summary.js';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    run: { type: 'string' },
  },
});
const [killsMin, seed, only] = [values.kills, values.seed, values.run ?? '0'].map(Number);
if (
  killsMin === undefined ||
  seed === undefined ||
  only === undefined ||
  ![killsMin, seed, only].every(isWhole)
) {
  console.error('Usage: npm run crash -- [--kills N] [--seed N] [--run N]');
  process.exit(2);
}
// What was started ends with this process, which a signal would end without a word.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
console.log(`Seed ${seed}`);
const reports: CrashReport[] = [];
await using runs = new CrashRuns(seed);
let kills = 0;
for (let run = only; kills < killsMin; run++) {
  const report = await runs.run(run);
  reports.push(report);
  kills += clientKillsOf(report);
  const { direction, storage, throughProxy, keepsTickets } = report.plan;
  const how = [direction, storage, throughProxy ? 'proxy' : 'direct', keepsTickets ? 'kept' : 'not kept'];
  const again = `${report.againBytes} bytes again, ${report.wastedBytes} of them durable`;
  console.log(`run ${run}: ${how.join(', ')}; ${listOf(report.kills)}; ${again}`);
  if (report.findings.length > 0) console.log(describeRun(report).join('\n'));
  if (values.run !== undefined) {
    console.log(describeRun(report).join('\n'));
    break;
  }
}
const failed = reports.filter(({ findings }) => findings.length > 0);
for (const line of summary(reports)) console.log(line);
console.log(
  failed.length === 0
    ? 'ok   all images are equal, and nothing was sent again that need not'
    : `FAIL runs ${failed.map(({ run }) => run).join(', ')}; one of them again: --seed ${seed} --run N`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

function isWhole(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0;
}
