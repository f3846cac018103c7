/** Aborts at the first SIGINT or SIGTERM, which end the process only when they come again. */
export function interruption(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => {
      stop.abort();
    });
  return stop.signal;
}
