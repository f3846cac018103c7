import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, it } from 'node:test';
import { decodeProtectedHeader, flattenedVerify, type FlattenedJWS } from 'jose';
import { NotFoundError } from '../../base/errors.js';
import { ReceiptSigner } from './receipt-signer.js';
import type { ServiceKey } from './service-key.js';

const tlsOf = (key: KeyObject): ServiceKey['tls'] => ({
  key: key.export({ type: 'pkcs8', format: 'pem' }),
  // What is in it is the business of those who verify.
  cert: ['b3du', 'bmV4dA==']
    .map((der) => `-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----\n`)
    .join(''),
});
const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey;
const rsa = (modulusLength: number): KeyObject => generateKeyPairSync('rsa', { modulusLength }).privateKey;

const algOf = (receipt: FlattenedJWS): string => decodeProtectedHeader(receipt).alg ?? '';

describe('ReceiptSigner', () => {
  for (const [alg, key] of [
    ['PS256', rsa(2048)],
    ['ES256', ec('prime256v1')],
    ['ES384', ec('secp384r1')],
    ['ES512', ec('secp521r1')],
    ['EdDSA', generateKeyPairSync('ed25519').privateKey],
  ] as const) {
    it(`signs by ${alg}, with the certificates as they are in the file`, async () => {
      const signer = new ReceiptSigner({ tls: tlsOf(key) });
      assert.equal(signer.isReady, true);
      const receipt = await signer.sign({ size: 7 });
      const { payload, protectedHeader } = await flattenedVerify(receipt, createPublicKey(key));
      assert.deepEqual(JSON.parse(Buffer.from(payload).toString()), { size: 7 });
      const header = { alg, typ: 'imageio-receipt', cty: 'json', x5c: ['b3du', 'bmV4dA=='] };
      assert.deepEqual(protectedHeader, header);
    });
  }

  for (const [what, tls] of [
    ['without TLS', undefined],
    ['with an RSA key that is too short', tlsOf(rsa(1024))],
    ['with a key of an unknown curve', tlsOf(ec('secp256k1'))],
    [
      'with a key for RSA-PSS alone',
      tlsOf(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey),
    ],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const signer = new ReceiptSigner({ tls });
      assert.equal(signer.isReady, false);
      assert.throws(() => signer.requireKey(), NotFoundError);
      await assert.rejects(signer.sign({}), /There are no receipts here/);
    });
  }

  it('signs with the key that the service has now', async () => {
    const service = { tls: tlsOf(ec('prime256v1')) };
    const signer = new ReceiptSigner(service);
    assert.equal(algOf(await signer.sign({})), 'ES256');
    service.tls = tlsOf(ec('secp384r1'));
    assert.equal(algOf(await signer.sign({})), 'ES384');
  });
});
