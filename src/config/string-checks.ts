/** Checks for string options: each returns what is wrong, without quoting the value, or nothing. */

export function refuseEmpty(value: string): string | undefined {
  return value === '' ? 'is empty' : undefined;
}
