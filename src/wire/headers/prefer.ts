// Real clients send one or two. A header that is full of commas must not take longer to read.
const preferencesMax = 16;

const asynchronous = /^respond-async\s*(?:=\s*(?:"")?\s*)?(?:;|$)/i;

/**
 * Whether a `Prefer` header (RFC 7240) asks to be answered before the work is done. An empty value is the
 * same as none (section 2), and what else is preferred does not matter.
 */
export function prefersAsynchronous(prefer: string | readonly string[] | undefined): boolean {
  if (prefer === undefined) return false;
  return String(prefer)
    .split(',', preferencesMax)
    .some((preference) => asynchronous.test(preference.trim()));
}
