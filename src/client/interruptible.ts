import { StoppedError } from '#sdk/transfer';
import { onStopSignal } from './stop-signals.js';

/**
 * Does `work` with a signal that the first interrupt aborts, with StoppedError; the second ends the program.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => {
    controller.abort(new StoppedError());
    process.stderr.write('\nStopping; again to end at once\n');
  };
  const stopListening = onStopSignal(stop);
  try {
    return await work(controller.signal);
  } finally {
    stopListening();
  }
}
