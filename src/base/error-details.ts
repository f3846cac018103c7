/**
 * The code by which Node, libc or a library names an error, e.g. `EINVAL` or `ECONNREFUSED`.
 * @returns undefined when it has none, or is no `Error`
 */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What an error says for people; of something else that was thrown, its text. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
