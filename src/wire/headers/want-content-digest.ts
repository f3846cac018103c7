import type { IncomingMessage } from 'node:http';
import { parseDictionary, type Dictionary } from 'structured-headers';
import { digestAlgorithms, type DigestAlgorithm } from './content-digest.js';

/** The most that a preference can be (RFC 9530 section 4). */
const preferenceMax = 10;

/**
 * The algorithm by which a client would like to have the digest of the answer's body (RFC 9530 section 4;
 * docs/protocol.md, "Digests of an answer"): of those that are known here the one with the highest
 * preference, of equals `sha-256`. It is a wish, so that what cannot be understood is ignored.
 */
export function wantedDigest({ headers }: IncomingMessage): DigestAlgorithm | undefined {
  const { 'want-content-digest': field } = headers;
  if (typeof field !== 'string') return undefined;
  const wishes = parse(field);
  let wanted: DigestAlgorithm | undefined;
  let highest = 0;
  for (const algorithm of digestAlgorithms) {
    const preference = preferenceOf(wishes, algorithm);
    if (preference <= highest) continue;
    wanted = algorithm;
    highest = preference;
  }
  return wanted;
}

/** 0 where the algorithm is not wanted. */
function preferenceOf(wishes: Dictionary, algorithm: DigestAlgorithm): number {
  const [value] = wishes.get(algorithm) ?? [0];
  return typeof value === 'number' && Number.isInteger(value) && value <= preferenceMax ? value : 0;
}

function parse(field: string): Dictionary {
  try {
    return parseDictionary(field);
  } catch {
    return new Map();
  }
}
