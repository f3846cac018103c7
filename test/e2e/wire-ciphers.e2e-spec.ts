import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { connect, type ConnectionOptions, type SecureVersion, type TLSSocket } from 'node:tls';
import { connectOptions } from '../support/address.js';
import type { Configuration } from '../support/configuration.js';
import { eventually, within } from '../support/deadline.js';
import { Pki } from '../support/pki.js';
import { startDaemon, startProxy, type Role, type Service } from '../support/processes.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

const forwardSecret = ['ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES128-SHA'] as const;
/** With these, the certificate's key opens what was recorded before; the last needs no certificate at all. */
const others = ['AES128-GCM-SHA256', 'AES256-SHA', 'ADH-AES128-GCM-SHA256'] as const;
const refused = /alert|handshake|ECONNRESET|disconnected/i;
/** What is offered shall be refused by the service, not already by the client. */
const offerAnything = '@SECLEVEL=0';

for (const role of ['daemon', 'proxy'] as const) {
  describe(`the remote listener of a ${role}`, () => {
    withService(role, { tls: { reload_interval_sec: 0 } }, (client) => {
      definesCiphers(client);

      test('refuses TLSv1.1', async () => {
        await assert.rejects(client.handshake('TLSv1.1'), refused);
      });

      test('warns of no old version', () => {
        assert.ok(!client.service.logText.includes('enable_tls1_1'));
      });
    });

    describe('with enable_tls1_1', () => {
      withService(role, { tls: { reload_interval_sec: 0, enable_tls1_1: true } }, (client) => {
        definesCiphers(client);

        test('takes TLSv1.1 with forward secrecy alone', async () => {
          const socket = await client.handshake('TLSv1.1', forwardSecret[1]);
          assert.equal(socket.getProtocol(), 'TLSv1.1');
          socket.destroy();
          await assert.rejects(client.handshake('TLSv1.1', 'AES256-SHA'), refused);
        });

        test('refuses TLSv1', async () => {
          await assert.rejects(client.handshake('TLSv1'), refused);
        });

        test('is warned of', () => {
          assert.match(client.service.logText, /\[tls\] enable_tls1_1 is on: TLS 1\.1 is accepted/);
        });
      });
    });
  });
}

interface Client {
  readonly service: Service;
  /** @param ciphers what it offers beside the suites of TLS 1.3; all that it knows when absent */
  readonly handshake: (version: SecureVersion, ciphers?: string) => Promise<TLSSocket>;
}

/**
 * Defines the same tests for a service that has just started and for one that has read
 * its certificate again.
 */
function withService(role: Role, configuration: Configuration, define: (client: Client) => void): void {
  for (const when of ['from the start', 'after a reload of the certificate'] as const) {
    describe(when, () => {
      let folder: TemporaryFolder;
      let service: Service;
      before(async () => {
        folder = await TemporaryFolder.create();
        const pki = await Pki.create(folder.file('pki'));
        const identity = await pki.issueHost('service', { rsa: true });
        const options = { folder: folder.file('service'), pki, identity, configuration };
        await mkdir(options.folder);
        service =
          role === 'daemon'
            ? await startDaemon(options)
            : await startProxy({ ...options, engine: await pki.issueEngine() });
        if (when !== 'from the start') await reload(service);
      });
      after(async () => {
        await service.program.kill();
        await folder[Symbol.asyncDispose]();
      });
      define({
        get service() {
          return service;
        },
        handshake: (version, ciphers = 'ALL') => handshake(service, version, ciphers),
      });
    });
  }
}

function definesCiphers({ handshake }: Client): void {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`takes ${version} of a client that offers everything`, async () => {
      const socket = await handshake(version);
      assert.equal(socket.getProtocol(), version);
      socket.destroy();
    });
  }
  for (const ciphers of forwardSecret) {
    test(`takes ${ciphers}`, async () => {
      const socket = await handshake('TLSv1.2', ciphers);
      assert.equal(socket.getCipher().name, ciphers);
      socket.destroy();
    });
  }
  for (const ciphers of others) {
    test(`refuses a client that has only ${ciphers}`, async () => {
      await assert.rejects(handshake('TLSv1.2', ciphers), refused);
    });
  }
  test('chooses the best that a client has, not what the client likes most', async () => {
    const socket = await handshake('TLSv1.2', [...others, ...forwardSecret].reverse().join(':'));
    assert.equal(socket.getCipher().name, forwardSecret[0]);
    socket.destroy();
  });
}

async function handshake(service: Service, version: SecureVersion, ciphers: string): Promise<TLSSocket> {
  const options: ConnectionOptions = {
    ...connectOptions(service.address('remote')),
    minVersion: version,
    maxVersion: version,
    ciphers: `TLS_AES_128_GCM_SHA256:${ciphers}:${offerAnything}`,
  };
  const socket = connect(options);
  await within(once(socket, 'secureConnect'), 'the handshake');
  return socket;
}

async function reload({ program }: Service): Promise<void> {
  const before = program.lines.length;
  program.signal('SIGHUP');
  await eventually(
    () => program.lines.slice(before).find((line) => line.includes('Reloaded the certificate')),
    'the certificate to be read again',
  );
}
