import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { imagePath } from '../support/client.js';
import { MiB } from '../../src/base/units.js';
import { DaemonUnderTest } from './daemon-under-test.js';

describe('a ticket whose image another daemon has', { concurrency: false }, () => {
  let owner: DaemonUnderTest;
  let relay: DaemonUnderTest;
  before(async () => {
    owner = await DaemonUnderTest.start();
    relay = await DaemonUnderTest.start({ backend_http: { ca_file: owner.pki.caFile } });
  });
  after(async () => {
    await relay[Symbol.asyncDispose]();
    await owner[Symbol.asyncDispose]();
  });

  async function addRelayedTicket(url: string, ops: ('read' | 'write')[]): Promise<string> {
    const id = randomUUID();
    await relay.vdsm.addTicket({ uuid: id, size: 4 * MiB, ops, timeout: 300, url });
    return id;
  }

  test('uploads and downloads through the daemon and counts what passes', async () => {
    const image = await owner.addImage(4 * MiB, { ops: ['read', 'write'] });
    const url = `${owner.daemon.url}${image.path}`;
    const content = randomBytes(4 * MiB);
    const upload = await addRelayedTicket(url, ['write']);
    const put = await relay.client().request('PUT', imagePath(upload), { body: content });
    assert.equal(put.status, 200);
    assert.equal((await relay.vdsm.getTicket(upload)).transferred, content.length);
    assert.deepEqual(await owner.contentOf(image), content);
    const download = await addRelayedTicket(url, ['read']);
    const get = await relay.client().request('GET', imagePath(download), {
      headers: { Range: 'bytes=1000-2000000' },
    });
    assert.equal(get.status, 206);
    assert.deepEqual(get.body, content.subarray(1000, 2_000_001));
    assert.equal((await relay.vdsm.getTicket(download)).transferred, 1_999_001);
  });

  test('is refused when it forbids the request, and gone when it was removed', async () => {
    const image = await owner.addImage(MiB);
    const id = await addRelayedTicket(`${owner.daemon.url}${image.path}`, ['read']);
    const client = relay.client();
    assert.equal((await client.request('PUT', imagePath(id), { body: Buffer.alloc(1) })).status, 403);
    await relay.vdsm.removeTicket(id);
    assert.equal((await client.request('GET', imagePath(id))).status, 403);
  });

  test('tells nothing of the unix socket of the other host', async () => {
    const image = await owner.addImage(MiB);
    const id = await addRelayedTicket(`${owner.daemon.url}${image.path}`, ['read']);
    const options = await relay.client().request('OPTIONS', imagePath(id));
    const body = JSON.parse(options.body.toString('utf8')) as object;
    assert.deepEqual(Object.keys(body).sort(), ['extensions', 'features', 'max_readers', 'max_writers']);
  });
});
