import { type KeyObject, X509Certificate } from 'node:crypto';

export interface EngineCertificateOptions {
  /** The certificate whose key signs tickets. */
  readonly engineCertificatePem: string;
  /** The engine's CA, one certificate or several; not needed when the certificate is not verified. */
  readonly caCertificatesPem?: string;
  /** Judge the certificate itself: issued by the CA, both in their lifetime. */
  readonly verifyCertificate: boolean;
}

/** Shorter keys were never issued to engines, and can be broken. */
const keyBitsMin = 2048;
const pemForm = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The configured certificate of the engine: the only one whose signatures count,
 * whatever a ticket carries in it.
 */
export class EngineCertificate {
  readonly publicKey: KeyObject;
  /** Bits of the RSA modulus. */
  readonly keyBits: number;
  readonly #certificate: X509Certificate;
  readonly #verified: boolean;
  readonly #issuer: X509Certificate | undefined;

  /**
   * @throws Error when a certificate cannot be parsed, is missing, or its key is not an
   *   RSA key of at least 2048 bits
   */
  constructor(options: EngineCertificateOptions) {
    const [certificate] = parseCertificates('engine certificate', options.engineCertificatePem);
    if (!certificate) throw new Error('the engine certificate file has no PEM certificate');
    const keyBits = certificate.publicKey.asymmetricKeyDetails?.modulusLength;
    if (certificate.publicKey.asymmetricKeyType !== 'rsa' || keyBits === undefined || keyBits < keyBitsMin) {
      throw new Error(`the engine certificate must have an RSA key of at least ${keyBitsMin} bits`);
    }
    this.publicKey = certificate.publicKey;
    this.keyBits = keyBits;
    this.#certificate = certificate;
    this.#verified = options.verifyCertificate;
    if (options.verifyCertificate) {
      const authorities = parseCertificates('engine CA certificate', options.caCertificatesPem ?? '');
      if (authorities.length === 0) throw new Error('the engine CA certificate file has no PEM certificate');
      this.#issuer = authorities.find((authority) => isIssuedBy(certificate, authority));
    }
  }

  /**
   * Why no ticket can be trusted at this time, or undefined when all is well. Dates are judged each time,
   * because certificates expire while the service runs.
   */
  problem(nowUnixSeconds: number): string | undefined {
    if (!this.#verified) return undefined;
    if (!this.#issuer) return 'engine certificate is not issued by the engine CA';
    if (!isInLifetime(this.#issuer, nowUnixSeconds))
      return 'engine CA certificate has expired or is not yet valid';
    if (!isInLifetime(this.#certificate, nowUnixSeconds))
      return 'engine certificate has expired or is not yet valid';
    return undefined;
  }
}

function parseCertificates(what: string, pem: string): X509Certificate[] {
  try {
    return (pem.match(pemForm) ?? []).map((block) => new X509Certificate(block));
  } catch (error) {
    throw new Error(`the ${what} cannot be parsed`, { cause: error });
  }
}

/**
 * Names and key identifiers are in the certificate for anyone to copy: it is the CA's signature that tells.
 */
function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

function isInLifetime(certificate: X509Certificate, nowUnixSeconds: number): boolean {
  const nowMilliseconds = nowUnixSeconds * 1000;
  return (
    certificate.validFromDate.getTime() <= nowMilliseconds &&
    nowMilliseconds <= certificate.validToDate.getTime()
  );
}
