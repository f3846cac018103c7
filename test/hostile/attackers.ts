// The attackers, in a process of their own so that they cost the honest client nothing but what they cost
// the service. Standard input: one line of JSON, then its end is the order to stop. Standard output: one
// line of JSON with what they did.
import { createInterface } from 'node:readline';
import { SeededRandom } from '../support/random.js';
import type { Target, Tally } from './attack.js';
import { attacks } from './attacks/all.js';

export interface AttackOrder {
  readonly target: Target;
  readonly seed: number;
}

const stop = new AbortController();
const input = createInterface({ input: process.stdin });
input.once('line', (line) => {
  void attack(JSON.parse(line) as AttackOrder);
});
input.once('close', () => {
  stop.abort();
});

async function attack({ target, seed }: AttackOrder): Promise<void> {
  const tallies: Record<string, Tally> = {};
  await Promise.all(
    attacks.map(async (one, index) => {
      const tally: Tally = {};
      tallies[one.name] = tally;
      // A report of what was done until then is worth more than the end of all attackers.
      await one
        .run({ target, random: new SeededRandom(seed + index), signal: stop.signal, tally })
        .catch((error: unknown) => {
          tally[`ended early: ${String(error)}`] = 1;
        });
    }),
  );
  console.log(JSON.stringify(tallies));
  process.exit(0);
}
