import { SeededRandom } from '../support/random.js';
import { Limits } from './runs/limits.js';
import { RaggedEdges } from './runs/ragged-edges.js';
import { ReloadAndDrain } from './runs/reload-and-drain.js';
import { Removal } from './runs/removal.js';
import type { Scene } from './scene.js';

/** By the names that the command knows them by. */
export const scenes: Readonly<Record<string, () => Promise<Scene>>> = {
  'ragged-edges': () => RaggedEdges.start(),
  removal: () => Removal.start(),
  'reload-and-drain': () => ReloadAndDrain.start(),
  limits: () => Limits.start(),
};

/** The choices of one run: each can be repeated by itself. */
export function choicesOf(seed: number, run: number): SeededRandom {
  return new SeededRandom(Math.imul(seed, 2654435761) + run);
}
