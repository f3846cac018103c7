import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A file of the configuration, and the option that names it, as error texts call it: `[tls] key_file`. */
export interface PemFile {
  readonly option: string;
  readonly path: string;
}

/**
 * What an option names cannot be used. The text says which option and file, and what is wrong, never what is
 * in it.
 */
export class PemFileError extends Error {
  constructor({ option, path }: PemFile, reason: string, options?: ErrorOptions) {
    super(`Cannot use ${option} ${path}: ${reason}`, options);
    this.name = 'PemFileError';
  }
}

const certificateForm =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const encryptedKeyForm = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/** @throws Error naming option and file when it cannot be read, PemFileError when nothing is in it */
export function readPemFile(file: PemFile): string {
  let text: string;
  try {
    text = readFileSync(file.path, 'utf8');
  } catch (error: unknown) {
    throw new Error(`Cannot read ${file.option}`, { cause: error });
  }
  if (text.trim() === '') throw new PemFileError(file, 'it is empty');
  return text;
}

/**
 * All certificates of a file, at least one. Each is looked at, because OpenSSL leaves out what comes after
 * one that it cannot parse.
 * @throws PemFileError
 */
export function parseCertificates(file: PemFile, pem: string): readonly X509Certificate[] {
  const blocks = certificateBlocks(pem);
  if (blocks.length === 0) throw new PemFileError(file, 'it has no certificate in PEM format');
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error: unknown) {
      const which = blocks.length === 1 ? 'its certificate' : `certificate ${index + 1} of ${blocks.length}`;
      throw new PemFileError(file, `${which} cannot be parsed`, { cause: error });
    }
  });
}

/** The certificates of a PEM text, each in PEM. */
export function certificateBlocks(pem: string): readonly string[] {
  return pem.match(certificateForm) ?? [];
}

/** @throws PemFileError */
export function parsePrivateKey(file: PemFile, pem: string): KeyObject {
  if (encryptedKeyForm.test(pem)) {
    throw new PemFileError(file, 'the key is encrypted, and nobody is there to type its passphrase');
  }
  try {
    return createPrivateKey(pem);
  } catch (error: unknown) {
    throw new PemFileError(file, 'it has no private key in PEM format', { cause: error });
  }
}
