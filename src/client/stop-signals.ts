/** Ctrl-C, the end of a service or a host, and the end of a terminal. */
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Has `stop` called when the program is asked to stop. The same signal again meets nobody who listens, and
 * ends the process.
 * @returns ends that
 */
export function onStopSignal(stop: () => void): () => void {
  for (const signal of stopSignals) process.once(signal, stop);
  return () => {
    for (const signal of stopSignals) process.off(signal, stop);
  };
}
