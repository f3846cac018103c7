// x509 registers its algorithms through tsyringe, which wants this loaded before.
import 'reflect-metadata';
import { randomUUID, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

/** A certificate of an authority that signs nothing else, and of the host that it vouches for, as PEM. */
export interface ThrowAwayIdentity {
  readonly authorityPem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' };
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };
/** Clocks of two hosts seldom agree. */
const dayMilliseconds = 86_400_000;

/**
 * Makes keys and certificates for one run of a service; the key of the authority is forgotten at once.
 * @param names host names and addresses that clients may know the service by
 * @param lifetimeMilliseconds how long the certificates are valid from now on
 */
export async function makeThrowAwayIdentity(
  names: readonly string[],
  lifetimeMilliseconds: number,
): Promise<ThrowAwayIdentity> {
  const [authorityKeys, hostKeys] = await Promise.all([makeKeys(), makeKeys()]);
  const now = Date.now();
  const lifetime = {
    notBefore: new Date(now - dayMilliseconds),
    notAfter: new Date(now + lifetimeMilliseconds + dayMilliseconds),
  };
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=ovirt-imageioctl serve ${randomUUID()}`,
    keys: authorityKeys,
    ...lifetime,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${names[0] ?? 'localhost'}`,
    issuer: authority.subject,
    publicKey: hostKeys.publicKey,
    signingKey: authorityKeys.privateKey,
    ...lifetime,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
    ],
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', hostKeys.privateKey);
  return {
    authorityPem: `${authority.toString('pem')}\n`,
    certificatePem: `${certificate.toString('pem')}\n`,
    keyPem: `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`,
  };
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
}
