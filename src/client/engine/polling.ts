import { pauseFor } from '#sdk/transfer/pause-for';

const firstDelaySeconds = 0.2;
const longestDelaySeconds = 2;

/**
 * Asks until there is an answer. There is no limit to how long that takes: the engine has one for each thing
 * it does, and says so when it has given up.
 * @param probe returns undefined for what goes on
 */
export async function untilKnown<T>(probe: () => Promise<T | undefined>, signal: AbortSignal): Promise<T> {
  for (let delaySeconds = firstDelaySeconds; ;) {
    const found = await probe();
    if (found !== undefined) return found;
    await pauseFor(delaySeconds, signal);
    delaySeconds = Math.min(delaySeconds * 1.5, longestDelaySeconds);
  }
}
