import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { DaemonUnderTest } from '../e2e/daemon-under-test.js';
import type { Configuration } from '../support/configuration.js';
import { ownAddress } from '../support/own-address.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { imageio } from './imageio-under-test.js';

const address = ownAddress() ?? '';
const skip = address === '' && 'needs an address of this machine that others know';
const data = randomBytes(2 * MiB);

/** Uploads, and says by which listeners the data came. */
async function uploadTo(
  host: string,
  configuration: Configuration = {},
  beforeUpload = async (): Promise<void> => undefined,
): Promise<unknown[]> {
  const everywhere = { remote: { host: '0.0.0.0' }, ...configuration };
  await using daemon = await DaemonUnderTest.start(everywhere, undefined, ['localhost', address]);
  const ca = daemon.folder.file('ca.pem');
  const file = daemon.folder.file('data');
  await writeFile(ca, daemon.pki.caPem);
  await writeFile(file, data);
  const image = await daemon.addImage(data.length);
  await beforeUpload();
  const { origin } = new URL(daemon.daemon.url.replace('localhost', host));
  const { code, stderr } = await imageio(['upload', file, `${origin}${image.path}`, '--cafile', ca], {
    stateHome: daemon.folder.path,
  });
  assert.equal(code, 0, stderr);
  assert.ok(data.equals(await readFile(image.file)));
  // The record of a request is written after its answer: all are there when the daemon has ended.
  await daemon.daemon.stop();
  const uploads = daemon.daemon.log.filter(({ method }) => method === 'PUT').map(({ listener }) => listener);
  return [...new Set(uploads.filter((listener) => listener !== 'control'))];
}

describe('a service on the same host', { skip }, () => {
  test('is reached through its unix socket, by an address that others know', async () => {
    assert.deepEqual(await uploadTo(address), ['local']);
  });

  test('is reached by HTTPS at a loopback address, which may be the end of a tunnel', async () => {
    assert.deepEqual(await uploadTo('localhost'), ['remote']);
  });

  test('is reached by HTTPS when there is nobody at its unix socket', async () => {
    await using folder = await TemporaryFolder.create();
    const socket = folder.file('images.sock');
    assert.deepEqual(await uploadTo(address, { local: { socket } }, () => rm(socket)), ['remote']);
  });

  test('is reached by HTTPS when it has no unix socket', async () => {
    assert.deepEqual(await uploadTo(address, { local: { enable: false } }), ['remote']);
  });
});
