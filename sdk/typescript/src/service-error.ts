/** The service answered with another status than success. */
export class ImageioError extends Error {
  constructor(
    readonly status: number,
    /** What went wrong, for people. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`${reason} (status ${status})`, options);
    this.name = 'ImageioError';
  }
}

interface Outcome<T> {
  readonly data?: T | undefined;
  readonly error?: unknown;
  readonly response: Response;
}

/**
 * The data of a generated client's answer.
 * @throws ImageioError when it is a refusal
 */
export function dataOf<T>({ data, error, response }: Outcome<T>): T {
  if (!response.ok) throw refusalOf(response.status, error);
  return data as T;
}

export function refusalOf(status: number, error: unknown): ImageioError {
  const reason = typeof error === 'string' ? error.trim() : '';
  return new ImageioError(status, reason === '' ? 'The service refused the request' : reason);
}
