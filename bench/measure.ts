import { ProcessTree } from './process-tree.js';

/** What one run took. */
export interface Measurement {
  readonly wallSeconds: number;
  /** User and system time of the measured servers. */
  readonly cpuSeconds: number;
  readonly residentBytesMax: number;
  /** Only of scenarios that count requests. */
  readonly requestsPerSecond?: number;
}

export interface WorkDone {
  readonly requestsPerSecond?: number;
}

/**
 * Runs `work` and measures what it costs meanwhile.
 * @param pids the servers whose CPU time and memory count, with their children
 */
export async function measure(pids: readonly number[], work: () => Promise<WorkDone>): Promise<Measurement> {
  const trees = pids.map((pid) => new ProcessTree(pid));
  const total = (figure: (tree: ProcessTree) => number): number =>
    trees.reduce((sum, tree) => sum + figure(tree), 0);
  for (const tree of trees) tree.resetPeak();
  const cpuBefore = total((tree) => tree.cpuSeconds());
  const startedAt = performance.now();
  const done = await work();
  const wallSeconds = (performance.now() - startedAt) / 1000;
  return {
    wallSeconds,
    cpuSeconds: total((tree) => tree.cpuSeconds()) - cpuBefore,
    residentBytesMax: total((tree) => tree.residentBytesMax()),
    ...done,
  };
}
