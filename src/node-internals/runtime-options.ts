import { expectThat } from './canary-server.js';
import { Trick } from './trick.js';

/**
 * V8 lets the young generation grow to 16 MiB and more for short-lived objects. A daemon makes few of them,
 * because image data is outside of V8's heap, and a small young generation stays in the processor's caches:
 * with 2 MiB the daemon takes 40 MiB less memory and a sixth less CPU for each GiB. A proxy has two HTTP
 * messages for each request: with 8 MiB it relays a sixth more small requests than with 2 MiB, and more gains
 * nothing.
 */
const youngGenerationMiB = { daemon: 2, proxy: 8 } as const;

/** V8 reads it only when the process starts. */
const youngGeneration = '--max-semi-space-size';

/**
 * Node documents `process.execve`, as an experiment, from 22.15 on, but no option of V8 by which the young
 * generation is bounded.
 */
export const restartingWithOptions = new Trick({
  name: 'a small young generation of V8',
  plainWay: 'the process takes 40 MiB more memory and up to a sixth more CPU',
  canary: () => {
    expectThat(givenOptions(process.env).includes(youngGeneration), 'the process cannot replace itself');
  },
});

/**
 * glibc keeps free memory apart for each of up to eight arenas a core, between which our threads would
 * spread. Two hold 4 MiB less under 16 downloads, and the threads that do file I/O hardly allocate.
 */
const mallocArenas = { MALLOC_ARENA_MAX: '2' };

/** What the environment of a role says where it is started with it, as the units do. */
export function runtimeOptions(role: keyof typeof youngGenerationMiB): {
  /** In `NODE_OPTIONS`. */
  readonly youngGeneration: string;
  readonly mallocArenas: string;
} {
  return {
    youngGeneration: `${youngGeneration}=${youngGenerationMiB[role]}`,
    mallocArenas: `MALLOC_ARENA_MAX=${mallocArenas.MALLOC_ARENA_MAX}`,
  };
}

/**
 * Replaces the process image by one with the options and memory that the role runs best with: same process
 * id, same open sockets. Options that the operator has set stay. Does nothing where this version of Node
 * cannot.
 * @param isDue there is another reason for it, so that it is done even when the operator has set the options
 */
export function restartWithRuntimeOptions(
  role: keyof typeof youngGenerationMiB,
  environment: NodeJS.ProcessEnv,
  argv: readonly string[],
  isDue: boolean,
): void {
  const isOurs = restartingWithOptions.inUse && !givenOptions(environment).includes(youngGeneration);
  const ours = isOurs ? [runtimeOptions(role).youngGeneration] : [];
  if ((!isOurs && !isDue) || typeof process.execve !== 'function') return;
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...ours, ...argv.slice(1)], {
    ...mallocArenas,
    ...environment,
  });
}

function givenOptions(environment: NodeJS.ProcessEnv): string {
  return [...process.execArgv, environment['NODE_OPTIONS'] ?? ''].join(' ');
}
