// x509 registers its algorithms through tsyringe, which wants this loaded before.
import 'reflect-metadata';
import { randomUUID, webcrypto } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

/** A certificate and its private key as PEM, in files and as text. */
export interface Identity {
  readonly certFile: string;
  readonly keyFile: string;
  readonly certPem: string;
  readonly keyPem: string;
}

export interface Lifetime {
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

type SubjectKeyAlgorithm = EcKeyGenParams | RsaHashedKeyGenParams | { readonly name: 'Ed25519' };
type EcKeyGenParams = webcrypto.EcKeyGenParams;
type RsaHashedKeyGenParams = webcrypto.RsaHashedKeyGenParams;

const dayMs = 86_400_000;
const ecKey: EcKeyGenParams = { name: 'ECDSA', namedCurve: 'P-256' };
const rsaKey: RsaHashedKeyGenParams = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

/** Kinds of keys that a certificate of a host may have. */
const hostKeys = {
  rsa: rsaKey,
  'P-256': ecKey,
  'P-384': { name: 'ECDSA', namedCurve: 'P-384' },
  'P-521': { name: 'ECDSA', namedCurve: 'P-521' },
  Ed25519: { name: 'Ed25519' },
} as const;

/** Every name under which a test or the demo reaches this machine. */
export const localNames = ['localhost', '127.0.0.1', '::1'];

/** A lifetime that is over: ended yesterday. */
export const expired: Lifetime = {
  notBefore: new Date(Date.now() - 30 * dayMs),
  notAfter: new Date(Date.now() - dayMs),
};

/**
 * A throw-away certificate authority, as engine-setup makes one, which issues certificates for hosts and
 * for the engine that signs tickets. A rogue authority is another one of these, made with the same `name`.
 */
export class Pki {
  private constructor(
    readonly folder: string,
    /** The authority's certificate, to be trusted by clients and by the proxy. */
    readonly caFile: string,
    readonly caPem: string,
    private readonly caSubject: string,
    private readonly caKeys: webcrypto.CryptoKeyPair,
  ) {}

  /** Makes the authority; `folder` is created when it is not there. */
  static async create(folder: string, name = 'Throw-away CA'): Promise<Pki> {
    await mkdir(folder, { recursive: true });
    const keys = await generateKeys(ecKey);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      keys,
      ...lifetime({}),
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const caFile = join(folder, 'ca.pem');
    const caPem = pem(certificate);
    await writeFile(caFile, caPem);
    return new Pki(folder, caFile, caPem, certificate.subject, keys);
  }

  /**
   * Issues a server certificate for a daemon or proxy.
   * @param fileName base name of the two files, e.g. `daemon` for daemon.pem and daemon.key
   * @param options `rsa`: with an RSA key, as the engine's authority issues them,
   *   instead of one that is quickly made; `key`: with one of that kind
   */
  async issueHost(
    fileName: string,
    options: Lifetime & {
      readonly names?: readonly string[];
      readonly rsa?: boolean;
      readonly key?: keyof typeof hostKeys;
    } = {},
  ): Promise<Identity> {
    const names = options.names ?? localNames;
    const key = hostKeys[options.key ?? (options.rsa === true ? 'rsa' : 'P-256')];
    return this.issue(fileName, `CN=${names[0] ?? fileName}`, key, options, [
      new x509.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name })),
      ),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    ]);
  }

  /** Issues the certificate and the RSA 2048 key with which the engine signs tickets. */
  async issueEngine(fileName = 'engine', options: Lifetime = {}): Promise<Identity> {
    return this.issue(fileName, 'CN=engine.example.com', rsaKey, options, []);
  }

  private async issue(
    fileName: string,
    subject: string,
    algorithm: SubjectKeyAlgorithm,
    dates: Lifetime,
    extensions: x509.Extension[],
  ): Promise<Identity> {
    const keys = await generateKeys(algorithm);
    const { digitalSignature, keyEncipherment } = x509.KeyUsageFlags;
    // Without the second a client may refuse an RSA key exchange for that reason alone.
    const keyUsage =
      algorithm === rsaKey
        ? new x509.KeyUsagesExtension(digitalSignature | keyEncipherment, true)
        : new x509.KeyUsagesExtension(digitalSignature, true);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: randomUUID().replaceAll('-', ''),
      subject,
      issuer: this.caSubject,
      publicKey: keys.publicKey,
      signingKey: this.caKeys.privateKey,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      ...lifetime(dates),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        keyUsage,
        await x509.AuthorityKeyIdentifierExtension.create(this.caKeys.publicKey),
        ...extensions,
      ],
    });
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    const identity: Identity = {
      certFile: join(this.folder, `${fileName}.pem`),
      keyFile: join(this.folder, `${fileName}.key`),
      certPem: pem(certificate),
      keyPem: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
    };
    await writeFile(identity.certFile, identity.certPem);
    await writeFile(identity.keyFile, identity.keyPem, { mode: 0o600 });
    return identity;
  }
}

async function generateKeys(algorithm: SubjectKeyAlgorithm): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

function lifetime({ notBefore, notAfter }: Lifetime): { notBefore: Date; notAfter: Date } {
  // A day in the past: clocks of two machines that look at one certificate seldom agree.
  return {
    notBefore: notBefore ?? new Date(Date.now() - dayMs),
    notAfter: notAfter ?? new Date(Date.now() + 30 * dayMs),
  };
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
