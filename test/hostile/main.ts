// npm run hostile [-- --minutes N --seed N]: all attacks at once against a daemon and a proxy on loopback,
// beside an honest client. Prints what was seen, and exits with 1 when something that must hold did not.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { MiB } from '../../src/base/units.js';
import { findings, percentile99, runHostile, slownessFindings, type HostileReport } from './hostile-run.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
});
const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
if (!(minutes > 0 && minutes <= 60) || !Number.isInteger(seed)) {
  console.error('Usage: npm run hostile -- [--minutes 1…60] [--seed WHOLE_NUMBER]');
  process.exit(2);
}
console.log(`Seed ${seed}, ${minutes} minutes`);
const report = await runHostile({ seed, quietSeconds: 20, hostileSeconds: minutes * 60 });
show(report);
const found = [...findings(report), ...slownessFindings(report)];
for (const words of found) console.log(`FAIL ${words}`);
console.log(found.length === 0 ? 'ok   all that must hold did' : `${found.length} findings`);
process.exit(found.length === 0 ? 0 : 1);

function show({ quiet, hostile, services, attacks }: HostileReport): void {
  for (const [what, honest] of [
    ['quiet', quiet],
    ['hostile', hostile],
  ] as const)
    console.log(
      `${what}: ${honest.uploads} uploads, ${honest.downloads} downloads, all equal; ${honest.retries} ` +
        `requests sent again; ${honest.smallReadMilliseconds.length} small reads, p99 ` +
        `${percentile99(honest).toFixed(1)} ms`,
    );
  for (const service of services)
    console.log(
      `${service.role}: at most ${Math.round(service.residentBytesMax / MiB)} MiB, descriptors ` +
        `${service.descriptorsBefore} before, ${service.descriptorsAfter} after; health at most ` +
        `${service.slowestHealthMilliseconds.toFixed(0)} ms in ${service.healthChecks} checks; ` +
        `${Math.round(service.logBytes / 1024)} KiB of log`,
    );
  for (const [name, tally] of Object.entries(attacks))
    console.log(
      `${name}: ${Object.entries(tally)
        .map(([what, times]) => `${what} ${times}`)
        .join(', ')}`,
    );
}
