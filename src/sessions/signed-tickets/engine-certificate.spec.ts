// The X.509 library needs this polyfill to be there first.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import type { webcrypto } from 'node:crypto';
import { test } from 'node:test';
import * as x509 from '@peculiar/x509';
import { EngineCertificate } from './engine-certificate.js';
import { fixedUnixSeconds, readVectorFile, unixSeconds } from '../../../test/support/signed-tickets.js';

const engineCertificatePem = readVectorFile('engine.pem');
const caCertificatesPem = readVectorFile('ca.pem');

function problem(
  certificates: { engineCertificatePem?: string; caCertificatesPem?: string },
  nowUnixSeconds = fixedUnixSeconds,
): string | undefined {
  const options = { engineCertificatePem, caCertificatesPem, verifyCertificate: true, ...certificates };
  return new EngineCertificate(options).problem(nowUnixSeconds);
}

test('has no problem with a certificate that the CA issued, in its lifetime', () => {
  assert.equal(problem({}), undefined);
});

test('finds the issuer among several CA certificates', () => {
  const bundle = `# first a foreign one\n${readVectorFile('rogue-ca.pem')}\n${caCertificatesPem}`;
  assert.equal(problem({ caCertificatesPem: bundle }), undefined);
});

test('is not deceived by a certificate with the names of the real one', () => {
  assert.match(
    problem({ engineCertificatePem: readVectorFile('rogue.pem') })!,
    /not issued by the engine CA/,
  );
  assert.match(
    problem({ caCertificatesPem: readVectorFile('rogue-ca.pem') })!,
    /not issued by the engine CA/,
  );
});

test('does not take the certificate itself, or another that is no CA, for its CA', () => {
  assert.match(problem({ caCertificatesPem: engineCertificatePem })!, /not issued by the engine CA/);
});

test('judges the lifetime of the certificate and of the CA to the second', () => {
  assert.equal(problem({}, unixSeconds('2016-01-01T00:00:00Z')), undefined);
  assert.match(
    problem({}, unixSeconds('2015-12-31T23:59:59Z'))!,
    /engine certificate has expired or is not yet valid/,
  );
  assert.equal(problem({}, unixSeconds('2048-01-01T00:00:00Z')), undefined);
  assert.match(problem({}, unixSeconds('2048-01-01T00:00:01Z'))!, /engine certificate has expired/);
  assert.match(problem({}, unixSeconds('2049-01-01T00:00:01Z'))!, /engine CA certificate has expired/);
});

test('has no problem with any certificate when certificates are not verified', () => {
  const expired = readVectorFile('engine-expired.pem');
  const certificate = new EngineCertificate({ engineCertificatePem: expired, verifyCertificate: false });
  assert.equal(certificate.problem(fixedUnixSeconds), undefined);
  assert.equal(certificate.keyBits, 2048);
});

test('refuses files without a certificate', () => {
  assert.throws(
    () => problem({ engineCertificatePem: '' }),
    /engine certificate file has no PEM certificate/,
  );
  assert.throws(() => problem({ caCertificatesPem: 'text' }), /CA certificate file has no PEM certificate/);
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  assert.throws(() => problem({ engineCertificatePem: broken }), /engine certificate cannot be parsed/);
  assert.throws(() => problem({ caCertificatesPem: broken }), /engine CA certificate cannot be parsed/);
});

async function selfSigned(
  algorithm: webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams,
): Promise<string> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    keys,
    signingAlgorithm: { ...algorithm, hash: 'SHA-256' },
  });
  return certificate.toString('pem');
}

test('refuses keys that are not RSA or too short', async () => {
  const ec = await selfSigned({ name: 'ECDSA', namedCurve: 'P-256' });
  assert.throws(() => problem({ engineCertificatePem: ec }), /RSA key of at least 2048 bits/);
  const short = await selfSigned({
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 1024,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: 'SHA-256',
  });
  assert.throws(() => problem({ engineCertificatePem: short }), /RSA key of at least 2048 bits/);
});
