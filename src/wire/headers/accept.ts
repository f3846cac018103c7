const jsonTypes = new Set(['application/problem+json', 'application/json']);
const textTypes = new Set(['text/plain', 'text/*', '*/*']);
const jsonLinesTypes = new Set(['application/x-ndjson']);
const jsonListTypes = new Set(['application/json', 'application/*', '*/*']);

// Browsers name ten types and a parameter or two each. A header that is full of commas must not take longer
// to read.
const entriesMax = 32;
const parametersMax = 8;

/**
 * Whether an `Accept` header (RFC 9110 section 12.5.1) would rather have JSON than plain text: a JSON type
 * with a higher quality than text, or the same quality and named first. No header, or one that takes
 * anything, means text.
 */
export function prefersJson(accept: string | undefined): boolean {
  return prefers(accept, jsonTypes, textTypes);
}

/**
 * Whether an `Accept` header would rather have a line of JSON for each item of a list, which is
 * `application/x-ndjson`, than one JSON array, by the same rule. No header, or one that takes anything, means
 * the array.
 */
export function prefersJsonLines(accept: string | undefined): boolean {
  return prefers(accept, jsonLinesTypes, jsonListTypes);
}

function prefers(
  accept: string | undefined,
  wantedTypes: ReadonlySet<string>,
  usualTypes: ReadonlySet<string>,
): boolean {
  if (accept === undefined) return false;
  let wanted = { quality: 0, position: Infinity };
  let usual = { quality: 0, position: Infinity };
  accept.split(',', entriesMax).forEach((entry, position) => {
    const [type = '', ...parameters] = entry
      .split(';', parametersMax)
      .map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = weight === undefined ? 1 : Number.parseFloat(weight.slice(2));
    if (wantedTypes.has(type) && quality > wanted.quality) wanted = { quality, position };
    if (usualTypes.has(type) && quality > usual.quality) usual = { quality, position };
  });
  return (
    wanted.quality > usual.quality || (wanted.quality === usual.quality && wanted.position < usual.position)
  );
}
