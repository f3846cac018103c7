const jsonTypes = new Set(['application/problem+json', 'application/json']);
const textTypes = new Set(['text/plain', 'text/*', '*/*']);

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
  if (accept === undefined) return false;
  let json = { quality: 0, position: Infinity };
  let text = { quality: 0, position: Infinity };
  accept.split(',', entriesMax).forEach((entry, position) => {
    const [type = '', ...parameters] = entry
      .split(';', parametersMax)
      .map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = weight === undefined ? 1 : Number.parseFloat(weight.slice(2));
    if (jsonTypes.has(type) && quality > json.quality) json = { quality, position };
    if (textTypes.has(type) && quality > text.quality) text = { quality, position };
  });
  return json.quality > text.quality || (json.quality === text.quality && json.position < text.position);
}
