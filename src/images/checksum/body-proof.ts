import type { IncomingMessage } from 'node:http';
import { DigestMismatchError, InvalidRequestError } from '../../base/errors.js';
import {
  announcesContentDigest,
  contentDigestName,
  digestAlgorithms,
  parseContentDigest,
  type DigestAlgorithm,
  type Digests,
} from '../../wire/headers/content-digest.js';
import type { HashLane, HashWorkers } from './hash-workers.js';

/** What the algorithms of digest fields are called where they are computed. */
export const hashNames: Readonly<Record<DigestAlgorithm, string>> = {
  'sha-256': 'sha256',
  'sha-512': 'sha512',
};

/**
 * The digest of a body that is in memory as a whole, computed in another thread.
 * @param data in shared memory that must not change until this resolves
 */
export async function digestOf(
  workers: HashWorkers,
  algorithm: DigestAlgorithm,
  data: Uint8Array,
): Promise<Uint8Array> {
  const lane = workers.openLane(hashNames[algorithm]);
  try {
    if (data.length > 0) await lane.update(data);
    return await lane.digest();
  } finally {
    lane.close();
  }
}

/** What the head of a request says of the digest of its body. */
export interface ExpectedDigests {
  readonly inHead: Digests;
  /** More of them come behind the body. */
  readonly announced: boolean;
}

/**
 * @returns undefined when there is nothing to verify
 * @throws InvalidRequestError when the field is malformed
 */
export function expectedDigests(request: IncomingMessage): ExpectedDigests | undefined {
  const { [contentDigestName]: field } = request.headers;
  const inHead: Digests = typeof field === 'string' ? parseContentDigest(field) : new Map();
  const announced = announcesContentDigest(request);
  return inHead.size === 0 && !announced ? undefined : { inHead, announced };
}

/** Hashes one request body in other threads while it arrives, and says in the end whether it is right. */
export class BodyProof {
  readonly #lanes: ReadonlyMap<DigestAlgorithm, HashLane>;
  /** Those that were asked for already. */
  readonly #digests = new Map<DigestAlgorithm, Uint8Array>();

  /** Which algorithm an announced digest is of is not known before it comes, so all are computed then. */
  constructor(
    workers: HashWorkers,
    private readonly expected: ExpectedDigests,
  ) {
    const algorithms = expected.announced ? digestAlgorithms : [...expected.inHead.keys()];
    this.#lanes = new Map(
      algorithms.map((algorithm) => [algorithm, workers.openLane(hashNames[algorithm])] as const),
    );
  }

  /** @param data the next of the body, in shared memory that must not change until this resolves */
  async update(data: Uint8Array): Promise<void> {
    // All of them have let go of the memory when this settles, whatever one of them failed with.
    const updates = await Promise.allSettled([...this.#lanes.values()].map((lane) => lane.update(data)));
    for (const update of updates) if (update.status === 'rejected') throw update.reason;
  }

  /**
   * All of the body has come and was handed to `update`.
   * @param request whose trailers have come too
   * @throws DigestMismatchError when the body is not what it should be, InvalidRequestError when the digest
   *   behind it did not come or is malformed
   */
  async check({ trailers }: IncomingMessage): Promise<void> {
    await this.#compare(this.expected.inHead);
    if (!this.expected.announced) return;
    const { [contentDigestName]: field } = trailers;
    // Whoever has dropped it on the way may have changed the body as well.
    if (field === undefined)
      throw new InvalidRequestError('Content-Digest was announced as a trailer, but did not come');
    await this.#compare(parseContentDigest(field));
  }

  /** Forgets the hashes. To be called once, when no update is under way. */
  close(): void {
    for (const lane of this.#lanes.values()) lane.close();
  }

  async #compare(expected: Digests): Promise<void> {
    for (const [algorithm, digest] of expected) {
      const actual = await this.#digest(algorithm);
      if (!Buffer.from(actual).equals(digest)) throw new DigestMismatchError(algorithm, digest);
    }
  }

  async #digest(algorithm: DigestAlgorithm): Promise<Uint8Array> {
    const known = this.#digests.get(algorithm);
    if (known !== undefined) return known;
    const lane = this.#lanes.get(algorithm);
    if (lane === undefined) throw new Error(`${algorithm} was not computed`);
    const digest = await lane.digest();
    this.#digests.set(algorithm, digest);
    return digest;
  }
}
