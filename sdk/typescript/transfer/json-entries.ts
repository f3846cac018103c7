/**
 * The entries of a list as they arrive, without holding all of them: one for each line of
 * `application/x-ndjson`, or the members of a JSON array of flat objects. White space between them is no
 * entry: a service sends it while it has nothing else to say.
 * @throws SyntaxError when the text is neither, or ends within an entry
 */
export async function* jsonEntries(body: AsyncIterable<Uint8Array>): AsyncGenerator {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const end = text.lastIndexOf('}') + 1;
    yield* flatObjects(text.slice(0, end));
    text = text.slice(end);
  }
  text += decoder.decode();
  if (!isOnlyPunctuation(text)) throw new SyntaxError('The list ends in the middle of an entry');
}

const separators = /^[[\],\s]*$/;

function isOnlyPunctuation(text: string): boolean {
  return separators.test(text);
}

/** Flat, so each ends at the next brace. */
function* flatObjects(text: string): Generator {
  for (let start = 0; start < text.length;) {
    const open = text.indexOf('{', start);
    const close = text.indexOf('}', open);
    if (open < 0 || close < 0 || !isOnlyPunctuation(text.slice(start, open)))
      throw new SyntaxError('The list has something else than entries');
    yield JSON.parse(text.slice(open, close + 1));
    start = close + 1;
  }
}
