import { join } from 'node:path';
import { Program } from '../../test/support/program.js';
import { pinnedNode } from '../../test/support/project.js';

/** What the reading process is told, as JSON in its one argument. */
export interface RandomReads {
  readonly port: number;
  readonly caFile: string;
  readonly ticketId: string;
  readonly connections: number;
  /** Of all connections together. */
  readonly requests: number;
  readonly lengthBytes: number;
  /** What every answer is compared with. */
  readonly image: string;
}

/** What it prints, as one line of JSON. */
export interface RandomReadsDone {
  readonly requestsPerSecond: number;
}

const reader = join(import.meta.dirname, 'random-reader.js');
const deadlineMs = 300_000;

/**
 * Reads blocks at random positions over kept-alive connections, from a process of its own.
 * @throws when a single answer was wrong
 */
export async function readRandomly(reads: RandomReads): Promise<RandomReadsDone> {
  const program = await Program.start(pinnedNode, [reader, JSON.stringify(reads)]);
  const done = await program.waitForLine(
    (line) => (line.startsWith('{') ? (JSON.parse(line) as RandomReadsDone) : undefined),
    'the random reads to be done',
    deadlineMs,
  );
  await program.waitForExit();
  return done;
}
