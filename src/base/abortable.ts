/**
 * Settles as `promise` does, or rejects with the signal's reason as soon as that aborts. What the promise
 * stands for goes on; use it only for waits that may be given up, such as a client's, never for storage I/O.
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const aborted = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) {
      aborted();
      // Nobody waits for the promise any more, so its failure is ignored.
      promise.catch(() => undefined);
      return;
    }
    signal.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', aborted);
    });
  });
}
