import { matchesGlob } from 'node:path';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { GiB, MiB } from '../src/base/units.js';

export interface BenchOptions {
  /** How large the images are that are moved. */
  readonly imageBytes: number;
  /** How much each of many concurrent downloads moves. */
  readonly concurrentDownloadBytes: number;
  readonly randomReads: number;
  /** Measured runs of each side in each scenario. */
  readonly rounds: number;
  /** Where the images are made: a file system with direct I/O tells most. */
  readonly workFolder: string;
  readonly selects: (scenarioName: string) => boolean;
}

export const usage = `Usage: npm run bench -- [options]

  --quick           512 MiB images, 5 rounds (the default)
  --full            1 GiB images, 9 rounds
  --only GLOB       only scenarios with such a name; may be repeated, or a list with commas
  --rounds N        measured rounds of each scenario
  --workdir FOLDER  where the images go (default: the temporary folder)

PEER_CMD: the command of the Python service to compare with (default: ovirt-imageio).
`;

const sizes = {
  quick: { imageBytes: 512 * MiB, concurrentDownloadBytes: 64 * MiB, randomReads: 4000, rounds: 5 },
  full: { imageBytes: GiB, concurrentDownloadBytes: 256 * MiB, randomReads: 10_000, rounds: 9 },
};

/** @throws TypeError when an option is unknown or makes no sense */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      workdir: { type: 'string', default: tmpdir() },
    },
  });
  if (values.quick && values.full) throw new TypeError('--quick and --full exclude each other');
  const size = values.full ? sizes.full : sizes.quick;
  const rounds = values.rounds === undefined ? size.rounds : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError('--rounds takes a number of at least 1');
  const globs = values.only.flatMap((list) => list.split(','));
  return {
    ...size,
    rounds,
    workFolder: values.workdir,
    selects: (name) => globs.length === 0 || globs.some((glob) => matchesGlob(name, glob)),
  };
}
