import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import { test } from 'node:test';
import { decodeProtectedHeader, type FlattenedJWS } from 'jose';
import { MiB } from '../../src/base/units.js';
import { eventually } from '../support/deadline.js';
import { DaemonUnderTest } from './daemon-under-test.js';

test('a receipt is signed with the certificate that new connections see after it was renewed', async () => {
  await using fixture = await DaemonUnderTest.start({ tls: { reload_interval_sec: 0 } });
  const { daemon, pki } = fixture;
  const { path } = await fixture.addImage(MiB);
  const serial = async (): Promise<string> => {
    const { text } = await fixture.client('local').request('GET', `${path}/receipt`);
    const { x5c = [] } = decodeProtectedHeader(JSON.parse(text) as FlattenedJWS);
    return new X509Certificate(Buffer.from(x5c[0] ?? '', 'base64')).serialNumber;
  };
  const serialOf = (pem: string): string => new X509Certificate(pem).serialNumber;
  const before = await serial();
  const renewed = await pki.issueHost('renewed');
  assert.notEqual(before, serialOf(renewed.certPem));
  await copyFile(renewed.certFile, `${pki.folder}/daemon.pem`);
  await copyFile(renewed.keyFile, `${pki.folder}/daemon.key`);
  daemon.program.signal('SIGHUP');
  await eventually(
    () => daemon.program.lines.find((line) => line.includes('Reloaded the certificate')),
    'the certificate to be read again',
  );
  assert.equal(await serial(), serialOf(renewed.certPem));
});

test('a service without TLS has no receipts, and says so before anybody asks for one', async () => {
  await using fixture = await DaemonUnderTest.start({ tls: { enable: false } });
  const { path } = await fixture.addImage(MiB);
  const client = fixture.client();
  const { text } = await client.request('OPTIONS', path);
  assert.ok(!(JSON.parse(text) as { extensions: string[] }).extensions.includes('receipt'));
  const refused = await client.request('GET', `${path}/receipt`);
  assert.equal(refused.status, 404);
  assert.match(refused.text, /There are no receipts here: there is no TLS, so no key/);
});
