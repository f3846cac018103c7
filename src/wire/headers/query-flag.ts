import { InvalidRequestError } from '../../base/errors.js';

/**
 * The value of a `y`/`n` query parameter such as `flush=n`.
 * @throws InvalidRequestError when it is anything else
 */
export function yesOrNo(query: Readonly<Record<string, unknown>>, name: string, fallback: boolean): boolean {
  const value = query[name];
  if (value === undefined) return fallback;
  if (value !== 'y' && value !== 'n') throw new InvalidRequestError(`Invalid ${name}, expected y or n`);
  return value === 'y';
}
