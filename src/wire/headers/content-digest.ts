import type { IncomingMessage } from 'node:http';
import { parseDictionary, serializeDictionary, type Dictionary } from 'structured-headers';
import { InvalidDigestError, InvalidRequestError } from '../../base/errors.js';

/**
 * The algorithms of RFC 9530 that prove something, and how many bytes their digests have. All others of its
 * registry are deprecated, because whoever changes the data can make the digest fit.
 */
const digestLengths = { 'sha-256': 32, 'sha-512': 64 } as const;

/** By its key in a digest field. */
export type DigestAlgorithm = keyof typeof digestLengths;

export const digestAlgorithms = Object.keys(digestLengths) as readonly DigestAlgorithm[];

export type Digests = ReadonlyMap<DigestAlgorithm, Uint8Array>;

/** The name of the field, in a head or behind a chunked body. */
export const contentDigestName = 'content-digest';

/**
 * Parses a `Content-Digest` (RFC 9530 section 2; docs/protocol.md, "Digests of a body").
 * @returns the digests of the algorithms that are known here; others are ignored, as the RFC demands
 * @throws InvalidRequestError when it is no dictionary of byte sequences (RFC 9651 section 3.2),
 *   InvalidDigestError when the algorithm cannot have made such a digest
 */
export function parseContentDigest(field: string): Digests {
  const digests = new Map<DigestAlgorithm, Uint8Array>();
  const dictionary = parse(field);
  for (const algorithm of digestAlgorithms) {
    const member = dictionary.get(algorithm);
    if (member === undefined) continue;
    const [value] = member;
    if (!(value instanceof ArrayBuffer))
      throw new InvalidRequestError(`Invalid Content-Digest, ${algorithm} is no byte sequence`);
    const lengthBytes = digestLengths[algorithm];
    if (value.byteLength !== lengthBytes) throw new InvalidDigestError(algorithm, lengthBytes);
    digests.set(algorithm, new Uint8Array(value));
  }
  return digests;
}

/** The value of a `Content-Digest`. @param digest which the algorithm has made */
export function formatContentDigest(algorithm: DigestAlgorithm, digest: Uint8Array): string {
  return serializeDictionary({ [algorithm]: new Uint8Array(digest) });
}

/**
 * Whether a `Content-Digest` is to come behind the body. Only a chunked body has something behind it (RFC
 * 9112 section 7.1.2).
 */
export function announcesContentDigest({ headers }: IncomingMessage): boolean {
  const { trailer, 'transfer-encoding': coding } = headers;
  if (trailer === undefined || coding === undefined) return false;
  return trailer.split(',').some((name) => name.trim().toLowerCase() === contentDigestName);
}

/** Whether the request says, or is going to say, what the digest of its body is. */
export function hasContentDigest(request: IncomingMessage): boolean {
  return request.headers[contentDigestName] !== undefined || announcesContentDigest(request);
}

function parse(field: string): Dictionary {
  try {
    return parseDictionary(field);
  } catch (cause: unknown) {
    throw new InvalidRequestError('Invalid Content-Digest, expected e.g. sha-256=:BASE64:', { cause });
  }
}
