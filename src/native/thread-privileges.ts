import { libc } from './libc.js';

/** Calls on what the calling thread may do, and may come to be allowed. */

// linux/prctl.h
export const PR_CAPBSET_READ = 23;
export const PR_CAPBSET_DROP = 24;
export const PR_SET_NO_NEW_PRIVS = 38;
export const PR_GET_NO_NEW_PRIVS = 39;

/** `prctl(2)`. Variadic in C; on Linux integers are passed alike either way. @returns -1 when it fails */
export const prctl = libc.func(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
) as (option: number, ...values: [number, number, number, number]) => number;

type CapabilityCall = (header: Uint32Array, sets: Uint32Array) => number;

/** `capget(2)`. @returns -1 when it fails */
export const capget = libc.func('int capget(void *header, void *sets)') as CapabilityCall;

/** `capset(2)`. @returns -1 when it fails */
export const capset = libc.func('int capset(void *header, void *sets)') as CapabilityCall;
