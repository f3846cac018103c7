/**
 * Parses the text of one JSON object whose keys are all different.
 *
 * `JSON.parse` keeps the last of several equal keys, other readers of the same text the first,
 * and the two would then disagree about what was signed. The result is a Map, so that a key
 * like `__proto__` is only a key.
 * @throws SyntaxError when the text is not JSON, not an object, has a key twice, or has
 *   text that is not Unicode
 */
export function parseJsonMembers(text: string): Map<string, unknown> {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SyntaxError('not a JSON object');
  }
  const members = new Map<string, unknown>(Object.entries(value));
  if (members.size !== countTopLevelKeys(text)) throw new SyntaxError('a key is there twice');
  for (const member of members.values()) {
    // A lone surrogate becomes U+FFFD in UTF-8: two different texts would have the same signed bytes.
    if (typeof member === 'string' && /\p{Surrogate}/u.test(member))
      throw new SyntaxError('not Unicode text');
  }
  return members;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The error of JSON.parse quotes the text, which is a credential here and must not reach a log.
    throw new SyntaxError('not JSON');
  }
}

/**
 * @param json valid JSON of an object: outside of strings, a colon at depth 1 follows a
 *   key of it and nothing else.
 */
function countTopLevelKeys(json: string): number {
  let depth = 0;
  let count = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (token === ':' && depth === 1) count++;
  }
  return count;
}
