const expired = Symbol('expired');

/**
 * Settles as `work` does, or as `late` says when that takes longer than `seconds`: with what it returns, or
 * by what it throws. What the promise stands for goes on, and if it fails later nobody hears of it.
 */
export async function settledWithin<T, L>(
  work: T | Promise<T>,
  seconds: number,
  late: () => L,
): Promise<T | L> {
  const expiry = Promise.withResolvers<typeof expired>();
  const timer = setTimeout(() => {
    expiry.resolve(expired);
  }, seconds * 1000);
  try {
    const result = await Promise.race([work, expiry.promise]);
    return result === expired ? late() : result;
  } finally {
    clearTimeout(timer);
  }
}
