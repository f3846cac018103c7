import type { SecureContextOptions, SecureVersion } from 'node:tls';

/**
 * What may protect a connection, best first: only suites whose keys are made for one connection and then
 * forgotten. With the others of TLS 1.2 (RSA key exchange), whoever gets hold of the certificate's key later
 * can read what was recorded before, ids of tickets among it. Every client of the last decade has one of
 * these. The suites of TLS 1.3 all qualify; they are named because Node turns TLS 1.3 off when none is. DHE
 * qualifies too, and is left out as Node serves it only with parameters of its own, which nobody needs who
 * has elliptic curves.
 */
const cipherSuites = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE+AESGCM',
  'ECDHE+CHACHA20',
  'ECDHE+AES',
  '!aNULL',
  '!PSK',
].join(':');

/**
 * The options of TLS that every server and client of this service has.
 * @param minVersion the oldest version that is spoken
 */
export function forwardSecrecy(
  minVersion: SecureVersion,
): Required<Pick<SecureContextOptions, 'ciphers' | 'minVersion'>> {
  // Handshakes before TLS 1.2 are signed with MD5 and SHA-1, for which OpenSSL wants a security level of 0:
  // without it TLS 1.1 is allowed and no handshake of it succeeds.
  const ciphers = minVersion === 'TLSv1.1' ? `${cipherSuites}:@SECLEVEL=0` : cipherSuites;
  return { ciphers, minVersion };
}
