/**
 * How long a test waits for one event before it gives up: generous, since machines that
 * run tests are often busy.
 */
export const patienceMs = 60_000;

/**
 * Waits for `promise`, but not for ever.
 * @param what what is waited for, completes "Timed out after 60 s waiting for …"
 * @param detail more for the error message, asked only when the time is over (e.g. the last log lines)
 */
export async function within<T>(
  promise: Promise<T>,
  what: string,
  options: { readonly deadlineMs?: number; readonly detail?: () => string } = {},
): Promise<T> {
  const deadlineMs = options.deadlineMs ?? patienceMs;
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const detail = options.detail?.() ?? '';
      const message = `Timed out after ${deadlineMs / 1000} s waiting for ${what}`;
      reject(new Error(detail === '' ? message : `${message}\n${detail}`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Asks again and again until `probe` returns something: for states that send no event, such as a counter
 * in /proc or a ticket's `active`.
 */
export async function eventually<T>(
  probe: () => Promise<T | undefined> | T | undefined,
  what: string,
  options: { readonly deadlineMs?: number; readonly intervalMs?: number } = {},
): Promise<T> {
  const deadlineMs = options.deadlineMs ?? patienceMs;
  const giveUpAt = performance.now() + deadlineMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > giveUpAt)
      throw new Error(`Timed out after ${deadlineMs / 1000} s waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, options.intervalMs ?? 20));
  }
}
