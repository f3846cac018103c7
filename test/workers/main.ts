// npm run workers [-- --runs N --seed N --scene NAME --run N]: tries what can go wrong between data workers N
// times each, by choices that the seed decides. Exits with 1 when something did.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { choicesOf, scenes } from './scenes.js';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '300' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    scene: { type: 'string', multiple: true, default: Object.keys(scenes) },
    run: { type: 'string' },
  },
});
const [runs = NaN, seed = NaN, first = NaN] = [values.runs, values.seed, values.run ?? '0'].map(Number);
const chosen = values.scene.map((name) => ({ name, start: scenes[name] }));
if (![runs, seed, first].every(Number.isSafeInteger) || chosen.some(({ start }) => start === undefined)) {
  const names = Object.keys(scenes).join('|');
  console.error(`Usage: npm run workers -- [--runs N] [--seed N] [--scene ${names}]... [--run N]`);
  process.exit(2);
}
// What was started ends with this process, which a signal would end without a word.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
console.log(`Seed ${seed}`);
const end = values.run === undefined ? runs : first + 1;
let failures = 0;
for (const { name, start } of chosen) {
  if (start === undefined) continue;
  await using scene = await start();
  const failed: number[] = [];
  for (let run = first; run < end; run++) {
    try {
      await scene.run(choicesOf(seed, run));
    } catch (error: unknown) {
      failed.push(run);
      console.log(`run ${run} of ${name}:`, error);
    }
  }
  failures += failed.length;
  console.log(
    failed.length === 0 ? `ok   ${name}: ${end - first} runs` : `FAIL ${name}: runs ${failed.join(', ')}`,
  );
}
process.exitCode = failures === 0 ? 0 : 1;
