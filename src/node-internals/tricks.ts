import { downloadingPastParser } from './direct-download.js';
import { pushingDirectly } from './direct-push.js';
import { servingHalfOpen } from './half-open.js';
import { closingOurWay } from './lingering-close.js';
import { detachingParsers } from './parser-detachment.js';
import { releasingMemory } from './release-memory.js';
import { restartingWithOptions } from './runtime-options.js';
import { usingDescriptors } from './socket-descriptor.js';
import { receivingIntoOurs } from './socket-receiver.js';
import { collectingAtStart } from './start-memory.js';
import { sharingSurplus } from './surplus-requests.js';
import { startingTlsLate } from './tls-start.js';
import type { Trick } from './trick.js';

export const tricks: readonly Trick[] = [
  downloadingPastParser,
  pushingDirectly,
  servingHalfOpen,
  closingOurWay,
  detachingParsers,
  releasingMemory,
  restartingWithOptions,
  usingDescriptors,
  receivingIntoOurs,
  collectingAtStart,
  sharingSurplus,
  startingTlsLate,
];

/**
 * Runs the canaries of all tricks, and turns off those that fail. Takes some ten milliseconds.
 * @returns what a log should say of each that is off
 */
export async function checkTricks(): Promise<string[]> {
  await Promise.all(tricks.map((trick) => trick.check()));
  return tricks.flatMap(({ fallback }) => fallback ?? []);
}
