import { createHash, webcrypto } from 'node:crypto';

/** The algorithms of RFC 9530 that the service knows, by their names in a digest field. */
export type DigestAlgorithm = 'sha-256' | 'sha-512';

/** The digest of a body that was computed elsewhere. */
export interface ContentDigest {
  readonly algorithm: DigestAlgorithm;
  readonly digest: Uint8Array;
}

/** What came is not what the service has read, or that cannot be known. */
export class IntegrityError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'IntegrityError';
  }
}

/**
 * The field that says what a body must be.
 * @throws TypeError for a stream whose digest is not known before it is sent
 */
export function digestOfBody(body: unknown, wanted: DigestAlgorithm | ContentDigest): string {
  if (typeof wanted !== 'string') return digestField(wanted.algorithm, wanted.digest);
  if (!(body instanceof Uint8Array))
    throw new TypeError('The digest of a stream has to be given: it goes ahead of the data');
  return digestField(wanted, createHash(wanted.replace('-', '')).update(body).digest());
}

/**
 * Compares data with the field that came with it.
 * @throws IntegrityError when they differ, or there is no field by that algorithm
 */
export async function verify(
  data: Uint8Array,
  field: string | undefined,
  algorithm: DigestAlgorithm,
): Promise<void> {
  const digest = await webcrypto.subtle.digest(algorithm.toUpperCase(), data as Uint8Array<ArrayBuffer>);
  const expected = digestField(algorithm, new Uint8Array(digest));
  if (field === expected) return;
  throw new IntegrityError(
    field === undefined
      ? 'The service tells no digest, or not of so long a range'
      : `What came is not what the service has read: its digest is ${expected}, not ${field}`,
  );
}

function digestField(algorithm: DigestAlgorithm, digest: Uint8Array): string {
  return `${algorithm}=:${Buffer.from(digest).toString('base64')}:`;
}
