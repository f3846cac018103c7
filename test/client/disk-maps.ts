import { runProgram } from '../nbd/servers.js';

interface MapEntry {
  readonly start: number;
  readonly length: number;
  readonly data: boolean;
  readonly zero: boolean;
}

/**
 * Where a disk has data, by `qemu-img map`: `START+LENGTH` of each run.
 * @param wholeBytes of which a run at the end is taken to have whole ones
 */
export async function dataRunsOf({ path, format }: DiskFile, wholeBytes: number): Promise<string[]> {
  const text = await runProgram('qemu-img', 'map', '--output=json', '-f', format, path);
  const runs: { start: number; end: number }[] = [];
  for (const { start, length, data, zero } of JSON.parse(text) as MapEntry[]) {
    if (!data || zero) continue;
    const last = runs.at(-1);
    if (last?.end === start) last.end += length;
    else runs.push({ start, end: start + length });
  }
  return runs.map(({ start, end }) => `${start}+${Math.ceil(end / wholeBytes) * wholeBytes - start}`);
}

/** @throws when the disks read differently */
export async function assertSameDisk(one: DiskFile, other: DiskFile): Promise<void> {
  await runProgram('qemu-img', 'compare', '-q', '-f', one.format, '-F', other.format, one.path, other.path);
}

export interface DiskFile {
  readonly path: string;
  /** As qemu calls it. */
  readonly format: string;
}
