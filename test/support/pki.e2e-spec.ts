import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { expired, Pki, type Identity } from './pki.js';
import { RawSocket } from './raw-socket.js';
import { TemporaryFolder } from './temporary-folder.js';

describe('throw-away PKI', () => {
  let folder: TemporaryFolder;
  let pki: Pki;
  before(async () => {
    folder = await TemporaryFolder.create();
    pki = await Pki.create(folder.path);
  });
  after(() => folder[Symbol.asyncDispose]());

  async function greet(identity: Identity, ca: string): Promise<string> {
    const server = createServer({ cert: identity.certPem, key: identity.keyPem }, (socket) => {
      socket.on('error', () => undefined);
      socket.end('hello');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const client = await RawSocket.connect({ kind: 'tls', port, ca });
      const greeting = (await client.readUntilClose()).toString();
      client.close();
      return greeting;
    } finally {
      server.close();
    }
  }

  test('issues a host certificate that a TLS client trusts for localhost', async () => {
    assert.equal(await greet(await pki.issueHost('host'), pki.caPem), 'hello');
  });

  test('issues a host certificate for the names asked for and no others', async () => {
    const other = await pki.issueHost('other', { names: ['host.example.com'] });
    await assert.rejects(greet(other, pki.caPem), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  test('issues an expired certificate that a TLS client refuses', async () => {
    await assert.rejects(greet(await pki.issueHost('old', expired), pki.caPem), { code: 'CERT_HAS_EXPIRED' });
  });

  test('makes a rogue authority that clients of the other one do not trust', async () => {
    const rogue = await Pki.create(folder.file('rogue'));
    await assert.rejects(greet(await rogue.issueHost('host'), pki.caPem), { name: 'Error' });
  });

  test('issues an engine certificate with an RSA key of 2048 bits under the authority', async () => {
    const certificate = new X509Certificate((await pki.issueEngine()).certPem);
    assert.equal(certificate.publicKey.asymmetricKeyDetails?.modulusLength, 2048);
    assert.ok(certificate.verify(new X509Certificate(pki.caPem).publicKey));
    assert.ok(certificate.checkIssued(new X509Certificate(pki.caPem)));
  });
});
