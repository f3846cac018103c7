/**
 * The value of a query parameter that is a whole number.
 * @returns undefined when it is anything else than digits, or more than a JSON number carries exactly
 */
export function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}
