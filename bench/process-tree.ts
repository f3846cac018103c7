import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

// Linux tells user space CPU time in ticks of this length, whatever the kernel's own clock is.
const ticksPerSecond = 100;

/** A process and all its descendants, looked at through /proc. */
export class ProcessTree {
  constructor(private readonly rootPid: number) {}

  /** User and system time of all threads, those of children that have ended included. */
  cpuSeconds(): number {
    return this.#sum((pid) => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The second field is the name in parentheses, which may hold anything; user time is the 14th.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      return ticks / ticksPerSecond;
    });
  }

  /**
   * The most memory that was resident since `resetPeak`; pages that processes share count in each of them.
   */
  residentBytesMax(): number {
    return this.#sum((pid) => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    });
  }

  /** Lets the peak begin again at what is resident now; proc(5), clear_refs. */
  resetPeak(): void {
    this.#sum((pid) => {
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
      return 0;
    });
  }

  #sum(figure: (pid: number) => number): number {
    const descendants = descendantsOf(this.rootPid).map((pid) => ifItExists(() => figure(pid)) ?? 0);
    return descendants.reduce((sum, value) => sum + value, figure(this.rootPid));
  }
}

function descendantsOf(pid: number): number[] {
  const threads = ifItExists(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  const children = threads.flatMap((thread) => {
    const list = ifItExists(() => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')) ?? '';
    return list.split(' ').filter((child) => child !== '');
  });
  return children.map(Number).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Threads and children may end while they are looked at. */
function ifItExists<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error: unknown) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
