import { X509Certificate } from 'node:crypto';
import { decodeProtectedHeader, flattenedVerify, importX509, type FlattenedJWS } from 'jose';
import { VerificationError } from '#sdk/transfer';
import type { ReceiptClaims } from '#sdk';
import { errorMessage } from '../base/error-details.js';

/** A receipt whose signature is that of a service of the cluster. */
export interface CheckedReceipt {
  readonly claims: ReceiptClaims;
  readonly algorithm: string;
  /** The host names that the certificate of the service has, e.g. `DNS:host.example.com`. */
  readonly signedBy: readonly string[];
}

const receiptType = 'imageio-receipt';
const algorithms = ['PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** What the key of a TLS server is for, in its extended key usage (RFC 5280 section 4.2.1.12). */
const serverAuthentication = '1.3.6.1.5.5.7.3.1';

/**
 * Checks the receipt of an image (docs/protocol.md, "Receipts").
 * @param text the JWS in its flattened JSON form
 * @param authorities PEM of those that may issue certificates of services
 * @param host whose key it has to be; any of the cluster when absent
 * @throws VerificationError that says what is wrong
 */
export async function checkReceipt(
  text: string,
  { authorities, host }: { readonly authorities: string; readonly host?: string | undefined },
): Promise<CheckedReceipt> {
  const { jws, algorithm, chain } = parsed(text);
  const [own] = chain;
  if (own === undefined) throw wrong('it has no certificate');
  const payload = await payloadOf(jws, own, algorithm);
  const claims = JSON.parse(new TextDecoder().decode(payload)) as ReceiptClaims;
  requirePath(chain, certificatesIn(authorities), new Date(claims.iat * 1000));
  // The types of Node.js say that there always is one.
  const purposes = own.keyUsage as readonly string[] | undefined;
  if (purposes !== undefined && !purposes.includes(serverAuthentication))
    throw wrong('its key is not that of a service');
  if (host !== undefined && own.checkHost(host) === undefined && own.checkIP(host) === undefined)
    throw wrong(`its key is not that of ${host}, but of ${own.subjectAltName ?? own.subject}`);
  return { claims, algorithm, signedBy: (own.subjectAltName ?? own.subject).split(', ') };
}

interface ParsedReceipt {
  readonly jws: FlattenedJWS;
  readonly algorithm: string;
  /** That of the service first. */
  readonly chain: readonly X509Certificate[];
}

function parsed(text: string): ParsedReceipt {
  try {
    const jws = JSON.parse(text) as FlattenedJWS;
    const { alg: algorithm = '', typ, x5c = [] } = decodeProtectedHeader(jws);
    if (typ !== receiptType) throw new Error('it is a signature of something else');
    return { jws, algorithm, chain: x5c.map((der) => new X509Certificate(Buffer.from(der, 'base64'))) };
  } catch (error: unknown) {
    throw wrong(errorMessage(error));
  }
}

async function payloadOf(jws: FlattenedJWS, own: X509Certificate, algorithm: string): Promise<Uint8Array> {
  try {
    const key = await importX509(own.toString(), algorithm);
    return (await flattenedVerify(jws, key, { algorithms })).payload;
  } catch (error: unknown) {
    throw wrong(errorMessage(error));
  }
}

function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** From the certificate of the service to an authority, each issued by the next, all good at that time. */
function requirePath(
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  time: Date,
): void {
  for (const [index, certificate] of chain.entries()) {
    if (time < certificate.validFromDate || time > certificate.validToDate)
      throw wrong('a certificate was not valid when it was signed');
    const issuer = authorities.find((authority) => isIssuedBy(certificate, authority));
    if (issuer !== undefined && time >= issuer.validFromDate && time <= issuer.validToDate) return;
    const next = chain[index + 1];
    if (next === undefined || !isIssuedBy(certificate, next)) break;
  }
  throw wrong('its certificate is not of the authorities in --cafile');
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function wrong(words: string): VerificationError {
  return new VerificationError(`The receipt cannot be trusted: ${words}`, []);
}
