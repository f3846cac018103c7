import { abortable } from './abortable.js';

/** Resolves after that time. @throws the reason of `signal` when it aborts first */
export async function pauseFor(seconds: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    resolve(undefined);
  }, seconds * 1000);
  try {
    await abortable(promise, signal);
  } finally {
    clearTimeout(timer);
  }
}
