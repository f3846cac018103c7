import { createPrivateKey, type KeyObject } from 'node:crypto';
import { certificateBlocks } from '../../base/pem-files.js';
import type { ServerTls } from '../../wire/server-tls.js';

/** A private key, and what signatures made by it need to be verified. */
export interface SigningKey {
  readonly key: KeyObject;
  /** As JOSE calls it (RFC 7518 section 3.1, RFC 8037). */
  readonly algorithm: string;
  /** DER in base64, its own certificate first (RFC 7515 section 4.1.6). */
  readonly certificates: readonly string[];
}

/** By the curves as OpenSSL calls them. */
const curveAlgorithms: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};
/** RFC 7518 section 3.5 allows no shorter ones. */
const rsaBitsMin = 2048;

/** @returns undefined when there is no algorithm for such a key */
export function signingKey({ key: pem, cert }: Pick<ServerTls, 'key' | 'cert'>): SigningKey | undefined {
  const key = createPrivateKey(pem);
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) return undefined;
  const certificates = certificateBlocks(cert.toString()).map((block) =>
    block.replace(/-----[^-]+-----|\s/g, ''),
  );
  return { key, algorithm, certificates };
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): string | undefined {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails;
  if (asymmetricKeyType === 'rsa') return modulusLength >= rsaBitsMin ? 'PS256' : undefined;
  if (asymmetricKeyType === 'ec') return curveAlgorithms[namedCurve];
  return asymmetricKeyType === 'ed25519' ? 'EdDSA' : undefined;
}
