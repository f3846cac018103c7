import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { trimHeap } from '../native/free-memory.js';
import { expectThat } from './canary-server.js';
import { Trick } from './trick.js';

/** V8 promises neither to keep its options nor that one has any effect when it is set after the start. */
export const collectingAtStart = new Trick({
  name: 'giving back the memory of the start',
  plainWay: 'an idle service holds about 15 MiB more',
  canary: () => {
    expectThat(typeof garbageCollector() === 'function', 'V8 does not give out its garbage collector');
  },
});

/**
 * Gives back what only the start needed: garbage of V8's from compiling the framework, then what libc keeps
 * of its own free memory. About 15 MiB of 120, which neither would give back by itself while the service has
 * little to do. Takes some ten milliseconds.
 */
export function returnStartMemory(): void {
  if (!collectingAtStart.inUse) return;
  garbageCollector()?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  trimHeap?.(0);
}

function garbageCollector(): ((options: Readonly<Record<string, string>>) => void) | undefined {
  setFlagsFromString('--expose-gc');
  try {
    return runInNewContext('globalThis.gc') as ReturnType<typeof garbageCollector>;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}
