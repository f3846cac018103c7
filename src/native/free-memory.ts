import { libc } from './libc.js';

/**
 * `malloc_trim(3)`: gives the system back what libc keeps of its free memory, but for `padBytes`. Undefined
 * where libc has none: only glibc does.
 */
export const trimHeap = optionalFunction('int malloc_trim(size_t pad)');

function optionalFunction(declaration: string): ((padBytes: number) => number) | undefined {
  try {
    return libc.func(declaration) as (padBytes: number) => number;
  } catch {
    return undefined;
  }
}
