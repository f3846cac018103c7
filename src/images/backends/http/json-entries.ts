import type { IncomingMessage } from 'node:http';
import { BadGatewayError } from '../../../base/errors.js';

/** No entry of a list is as long. */
const entryCharactersMax = 4096;

/**
 * The entries of a list as they arrive, all of which are flat objects: a line of `application/x-ndjson` each,
 * or members of a JSON array. White space between them is no entry: a service sends it while it has nothing
 * else to say.
 * @param heard called with each piece that arrives
 * @throws BadGatewayError when the body is no such list, or breaks off
 */
export async function* jsonEntries(
  answer: IncomingMessage,
  heard: () => void,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const piece of answer as AsyncIterable<Buffer>) {
      heard();
      text += decoder.decode(piece, { stream: true });
      const endsAt = text.lastIndexOf('}') + 1;
      yield* entriesIn(text.slice(0, endsAt));
      text = text.slice(endsAt).trimEnd();
      if (text.length > entryCharactersMax) throw new SyntaxError('an entry is too long');
    }
  } catch (error: unknown) {
    throw error instanceof SyntaxError ? noList(error) : brokenOff(error);
  }
  if (!betweenEntries.test(text)) throw noList('it ends in the middle of an entry');
}

const betweenEntries = /^[[\],\s]*$/;

function* entriesIn(text: string): Generator<Readonly<Record<string, unknown>>> {
  for (let at = 0; at < text.length;) {
    const opensAt = text.indexOf('{', at);
    const closesAt = text.indexOf('}', at);
    if (opensAt < 0 || closesAt < opensAt || !betweenEntries.test(text.slice(at, opensAt)))
      throw new SyntaxError('there is something else between its entries');
    yield JSON.parse(text.slice(opensAt, closesAt + 1)) as Readonly<Record<string, unknown>>;
    at = closesAt + 1;
  }
}

function noList(cause: unknown): BadGatewayError {
  return new BadGatewayError('The host of the image answered with something else than a list', { cause });
}

function brokenOff(cause: unknown): BadGatewayError {
  return new BadGatewayError('The host of the image broke off its answer', { cause });
}
