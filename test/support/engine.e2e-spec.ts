import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { decode, Engine } from './engine.js';
import { Pki, type Identity } from './pki.js';
import { needs } from './requirements.js';
import { TemporaryFolder } from './temporary-folder.js';

const run = promisify(execFile);
const transfer = {
  ticketId: '00000001-0000-4000-8000-000000000001',
  imagedUri: 'https://localhost:54322',
};

/** Verified by openssl, so that signer and verifier do not share one misunderstanding. */
describe('signed tickets of the engine', { skip: needs('openssl') }, () => {
  let folder: TemporaryFolder;
  let identity: Identity;
  let engine: Engine;
  before(async () => {
    folder = await TemporaryFolder.create();
    identity = await (await Pki.create(folder.path)).issueEngine();
    engine = new Engine(identity);
    const { stdout } = await run('openssl', ['x509', '-in', identity.certFile, '-pubkey', '-noout']);
    await writeFile(folder.file('public.pem'), stdout);
  });
  after(() => folder[Symbol.asyncDispose]());

  async function verify(ticket: string, signatureField: string, args: string[]): Promise<string> {
    const envelope = decode(ticket);
    const fields = envelope['signedFields']?.split(',') ?? [];
    await writeFile(folder.file('message'), fields.map((field) => envelope[field]).join(''));
    await writeFile(folder.file('signature'), Buffer.from(envelope[signatureField] ?? '', 'base64'));
    const { stdout } = await run('openssl', [
      'dgst',
      ...args,
      ...['-verify', folder.file('public.pem'), '-signature', folder.file('signature')],
      folder.file('message'),
    ]);
    return stdout.trim();
  }

  // The salt length is given as a number: `auto` would let any other one pass.
  const pss = ['-sha256', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:222'];

  test('carries a v2 signature with the longest salt over salt, data and dates', async () => {
    const ticket = engine.signTransfer(transfer);
    assert.equal(await verify(ticket, 'v2_signature', pss), 'Verified OK');
    assert.equal(decode(ticket)['signedFields'], 'salt,data,validFrom,validTo');
    assert.equal(decode(ticket)['signature'], undefined);
  });

  test('carries a v1 signature over SHA-1, with the digest signed too', async () => {
    const ticket = engine.signTransfer(transfer, { version: 'v1' });
    assert.equal(await verify(ticket, 'signature', ['-sha1']), 'Verified OK');
    assert.equal(decode(ticket)['digest'], 'sha1');
    assert.match(decode(ticket)['signedFields'] ?? '', /digest/);
    assert.equal(decode(ticket)['v2_signature'], undefined);
  });

  test('carries both signatures over the same fields when dual', async () => {
    const ticket = engine.signTransfer(transfer, { version: 'dual' });
    assert.equal(await verify(ticket, 'signature', ['-sha1']), 'Verified OK');
    assert.equal(await verify(ticket, 'v2_signature', pss), 'Verified OK');
  });

  test('names daemon, ticket and dates in the payload', () => {
    const payload = JSON.parse(decode(engine.signTransfer(transfer))['data'] ?? '') as Record<
      string,
      unknown
    >;
    assert.equal(payload['transfer-ticket'], transfer.ticketId);
    assert.equal(payload['imaged-uri'], transfer.imagedUri);
    assert.equal(payload['exp'], Number(payload['iat']) + 3600);
    assert.equal(payload['nbf'], payload['iat']);
  });

  test('embeds the certificate in lines of 76 characters that end in CRLF', () => {
    const [begin, first] = (decode(engine.signTransfer(transfer))['certificate'] ?? '').split('\n');
    assert.equal(begin, '-----BEGIN CERTIFICATE-----');
    assert.match(first ?? '', /^.{76}\r$/);
  });
});
