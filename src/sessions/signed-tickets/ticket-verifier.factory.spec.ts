import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { NoTicketVerifier, PlainTicketVerifier, SignedTicketVerifier } from './signed-ticket.verifier.js';
import { loadTicketVerifier, type TicketVerifierOptions } from './ticket-verifier.factory.js';
import type { TicketVerifier } from './ticket.verifier.js';
import {
  exampleTicketId,
  FakeClock,
  makeTicket,
  vectorFile,
  vectorRules,
} from '../../../test/support/signed-tickets.js';

async function load(options: Partial<TicketVerifierOptions> = {}): Promise<TicketVerifier> {
  const defaults: TicketVerifierOptions = {
    ...vectorRules,
    engineCertFile: vectorFile('engine.pem'),
    engineCaCertFile: vectorFile('ca.pem'),
    verifyCertificate: true,
    signedProxyTicket: true,
  };
  return loadTicketVerifier({ ...defaults, ...options }, new FakeClock());
}

test('loads a verifier from the configured files', async () => {
  const verifier = await load();
  assert.ok(verifier instanceof SignedTicketVerifier);
  assert.deepEqual(verifier.warnings, []);
  assert.equal(verifier.verify(makeTicket()).transferTicketId, exampleTicketId);
});

test('loads with a certificate that makes every ticket invalid, and warns', async () => {
  const verifier = await load({ engineCertFile: vectorFile('rogue.pem') });
  assert.match(verifier.warnings[0]!, /not issued by the engine CA/);
});

test('needs no CA when certificates are not verified', async () => {
  const verifier = await load({ verifyCertificate: false, engineCaCertFile: '' });
  verifier.verify(makeTicket());
});

test('accepts no tickets when no certificate is configured', async () => {
  assert.ok((await load({ engineCertFile: '' })) instanceof NoTicketVerifier);
});

test('takes plain payloads when tickets need no signature, and needs no files then', async () => {
  const verifier = await load({ signedProxyTicket: false, engineCertFile: '/no/such', engineCaCertFile: '' });
  assert.ok(verifier instanceof PlainTicketVerifier);
});

test('names the option, the file and the reason when a file cannot be read', async () => {
  await assert.rejects(
    load({ engineCertFile: '/no/such.pem' }),
    /proxy\.engine_cert_file: cannot read \/no\/such\.pem: ENOENT/,
  );
  await assert.rejects(
    load({ engineCaCertFile: '/no/ca.pem' }),
    /proxy\.engine_ca_cert_file: cannot read \/no\/ca\.pem: ENOENT/,
  );
});

test('asks for the CA when certificates are verified', async () => {
  await assert.rejects(load({ engineCaCertFile: '' }), /proxy\.engine_ca_cert_file: required/);
});

test('names the files when one has no certificate', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ticket-verifier-'));
  try {
    const file = join(folder, 'engine.pem');
    await writeFile(file, 'nothing');
    await assert.rejects(load({ engineCertFile: file }), (error: Error) => {
      assert.match(error.message, /engine certificate file has no PEM certificate/);
      return error.message.includes(file);
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
