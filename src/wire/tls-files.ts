import type { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { TlsConfig } from '../config/sections/tls.js';
import {
  parseCertificates,
  parsePrivateKey,
  PemFileError,
  readPemFile,
  type PemFile,
} from '../base/pem-files.js';
import { certificateDateProblem } from './certificate-dates.js';
import { secureContextOf, type ServerTls } from './server-tls.js';

/**
 * Reads what the remote listener shows to its clients; undefined when TLS is off.
 * @param warn told of certificates that clients refuse, or soon will
 * @throws Error naming option and file when one cannot be read, or be used
 */
export function readServerTls(tls: TlsConfig, warn: (message: string) => void): ServerTls | undefined {
  if (!tls.enable) return undefined;
  const keyFile = { option: '[tls] key_file', path: tls.keyFile };
  const certFile = { option: '[tls] cert_file', path: tls.certFile };
  const server = {
    key: readPemFile(keyFile),
    cert: readPemFile(certFile),
    minVersion: tls.enableTls11 ? ('TLSv1.1' as const) : ('TLSv1.2' as const),
  };
  const certificates = parseCertificates(certFile, server.cert);
  checkPair(server, certificates, { keyFile, certFile });
  for (const [index, certificate] of certificates.entries()) {
    const problem = certificateDateProblem(certificate, new Date());
    const which = certificates.length === 1 ? 'the certificate' : `certificate ${index + 1}`;
    if (problem !== undefined) warn(`${certFile.option} ${certFile.path}: ${which} ${problem}`);
  }
  if (tls.enableTls11) {
    warn(
      '[tls] enable_tls1_1 is on: TLS 1.1 is accepted, which is not safe any more, and no key or ' +
        'signature is too weak for a connection, whatever its version',
    );
  }
  return server;
}

/**
 * OpenSSL itself takes a certificate and a key that are of different kinds, and then no handshake succeeds.
 */
function checkPair(
  server: ServerTls & { readonly key: string },
  [own]: readonly X509Certificate[],
  { keyFile, certFile }: { readonly keyFile: PemFile; readonly certFile: PemFile },
): void {
  const key = parsePrivateKey(keyFile, server.key);
  if (own?.checkPrivateKey(key) !== true) {
    throw new PemFileError(keyFile, `it is not the key of [tls] cert_file ${certFile.path}`);
  }
  try {
    createSecureContext(secureContextOf(server));
  } catch (error: unknown) {
    // For example because the key is shorter than OpenSSL allows.
    throw new PemFileError(certFile, `OpenSSL does not take it with [tls] key_file ${keyFile.path}`, {
      cause: error,
    });
  }
}
