import { InvalidRequestError } from '../base/errors.js';

/** Our own bodies have two levels. Parsers recurse, and thousands of levels exhaust their stack. */
const depthMax = 32;

/**
 * Our own bodies have a dozen values. While a body is parsed every transfer stands still: the 32,000
 * numbers that 64 KiB can hold took 40 ms, a thousand take one.
 */
const valuesMax = 1024;

/**
 * Refuses what takes long to parse, by one look at the bytes, before anything is made of them. Whether they
 * are JSON is for the parser to say.
 * @param what begins the text of the refusal: `Invalid ticket: …`
 * @throws InvalidRequestError
 */
export function checkJsonShape(bytes: Uint8Array, what: string): void {
  let depth = 0;
  let values = 1;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte === quote) index = endOfString(bytes, index);
    else if (byte === comma) values++;
    else if (byte === openBracket || byte === openBrace) {
      values++;
      depth++;
    } else if (byte === closeBracket || byte === closeBrace) depth--;
    if (depth > depthMax) {
      throw new InvalidRequestError(`Invalid ${what}: the body is nested deeper than ${depthMax} levels`);
    }
    if (values > valuesMax) {
      throw new InvalidRequestError(`Invalid ${what}: the body has more than ${valuesMax} values`);
    }
  }
}

// In UTF-8 these bytes are never a part of another character.
const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** @returns where the string that begins at `start` has its closing quote, or the end of `bytes` */
function endOfString(bytes: Uint8Array, start: number): number {
  let index = start + 1;
  while (index < bytes.length && bytes[index] !== quote) index += bytes[index] === backslash ? 2 : 1;
  return index;
}
