import { createHash, getHashes, type Hash } from 'node:crypto';

import { createBLAKE2b, createBLAKE2s, type IHasher } from 'hash-wasm';

/** Hashes one message after another with one algorithm. */
export interface BlockHash {
  update(data: Uint8Array): void;
  /** Ends the message; the next update begins another one. */
  digest(): Uint8Array;
}

/** BLAKE2 digests have 32 bytes by parameter, not by truncation (RFC 7693), which OpenSSL cannot do. */
const blake2DigestBits = 256;
const blake2 = { blake2b: createBLAKE2b, blake2s: createBLAKE2s };

/**
 * Names on the wire and names in OpenSSL. The names are those that Python's hashlib knows, which clients
 * verify with. Left out are functions without a size of their own (SHAKE) and aliases.
 */
const opensslNames: Readonly<Record<string, string>> = {
  md5: 'md5',
  sha1: 'sha1',
  sha224: 'sha224',
  sha256: 'sha256',
  sha384: 'sha384',
  sha3_224: 'sha3-224',
  sha3_256: 'sha3-256',
  sha3_384: 'sha3-384',
  sha3_512: 'sha3-512',
  sha512: 'sha512',
  sha512_224: 'sha512-224',
  sha512_256: 'sha512-256',
};

/** Every algorithm that a checksum can be asked for, sorted: what this OpenSSL allows, and BLAKE2. */
export const checksumAlgorithms: readonly string[] = [
  ...Object.keys(blake2),
  ...Object.keys(opensslNames).filter((name) => getHashes().includes(opensslNames[name] ?? '')),
].sort();

/** @param algorithm one of `checksumAlgorithms` */
export async function createBlockHash(algorithm: string): Promise<BlockHash> {
  if (algorithm === 'blake2b' || algorithm === 'blake2s') {
    return new Blake2Hash(await blake2[algorithm](blake2DigestBits));
  }
  const name = checksumAlgorithms.includes(algorithm) ? opensslNames[algorithm] : undefined;
  if (name === undefined) {
    throw new RangeError(`unknown checksum algorithm ${algorithm}`);
  }
  return new OpensslHash(name);
}

class Blake2Hash implements BlockHash {
  constructor(private readonly hasher: IHasher) {
    hasher.init();
  }

  update(data: Uint8Array): void {
    this.hasher.update(data);
  }

  digest(): Uint8Array {
    const digest = this.hasher.digest('binary');
    this.hasher.init();
    return digest;
  }
}

class OpensslHash implements BlockHash {
  #hash: Hash;

  constructor(private readonly name: string) {
    this.#hash = createHash(name);
  }

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  digest(): Uint8Array {
    const digest = this.#hash.digest();
    this.#hash = createHash(this.name);
    return digest;
  }
}
