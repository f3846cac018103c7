import { describe, test } from 'node:test';
import { choicesOf, scenes } from './scenes.js';

// The short form of `npm run workers`, always with the same choices.
const seed = 1811;
const runs = 10;

describe('data workers', () => {
  for (const [name, start] of Object.entries(scenes)) {
    test(`pass ${name}`, async () => {
      await using scene = await start();
      for (let run = 0; run < runs; run++) {
        await scene.run(choicesOf(seed, run)).catch((cause: unknown) => {
          throw new Error(`run ${run} of ${name} with seed ${seed} failed`, { cause });
        });
      }
    });
  }
});
