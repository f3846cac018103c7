/**
 * Whether `text` has more characters (Unicode code points, which is how JSON Schema counts) than `limit`.
 */
export function isLongerThan(text: string, limit: number): boolean {
  // A code point takes one or two of the units that `length` counts, so the exact count is seldom needed.
  if (text.length <= limit) return false;
  return text.length > 2 * limit || Array.from(text).length > limit;
}
