/** Aborts at the first signal to stop, which end the process only when they come again. */
export function interruption(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.once(signal, () => {
      stop.abort();
    });
  return stop.signal;
}
