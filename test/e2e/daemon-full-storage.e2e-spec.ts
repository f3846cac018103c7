import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { mount, mountingRefusal, unmount } from '../file/block-devices.js';
import { imagePath, type ImagesClient } from '../support/client.js';
import { DaemonUnderTest } from './daemon-under-test.js';

const storageBytes = 8 * MiB;

const scratch = mkdtempSync(join(tmpdir(), 'imageio-mount-'));
const refusal = mountingRefusal(scratch);
rmSync(scratch, { recursive: true });

describe('storage without room', { skip: refusal ?? false }, () => {
  let fixture: DaemonUnderTest;
  let mountPoint: string;
  let client: ImagesClient;

  before(async () => {
    fixture = await DaemonUnderTest.start();
    client = fixture.client();
    mountPoint = fixture.folder.file('small');
    mount('tmpfs', 'none', mountPoint, '-o', `size=${storageBytes}`);
  });
  after(async () => {
    await fixture.daemon.program.kill();
    unmount(mountPoint);
    await fixture[Symbol.asyncDispose]();
  });

  async function addImage(name: string): Promise<{ id: string; file: string }> {
    const id = randomUUID();
    const file = join(mountPoint, name);
    await writeFile(file, '');
    await fixture.vdsm.addTicket({
      uuid: id,
      size: 64 * MiB,
      ops: ['write'],
      timeout: 300,
      url: `file://${file}`,
    });
    return { id, file };
  }

  test('answers 507 to a PUT and takes what fits afterwards', async () => {
    const { id, file } = await addImage('written');
    const body = Buffer.alloc(storageBytes + 4 * MiB, 0x61);
    const refused = await client.request('PUT', imagePath(id), { body });
    assert.equal(refused.status, 507);
    assert.equal(refused.text, 'No space left on the storage of this image\n');
    assert.equal((await client.request('PATCH', imagePath(id), { body: '{"op":"flush"}' })).status, 200);
    await client.write(id, Buffer.from('fits'), 0);
    assert.equal((await readFile(file)).toString('latin1', 0, 8), 'fitsaaaa');
    await fixture.vdsm.removeTicket(id);
    await writeFile(file, '');
  });

  test('answers 507 to zeroes that must be allocated', async () => {
    const { id } = await addImage('zeroed');
    const zero = JSON.stringify({ op: 'zero', offset: 0, size: storageBytes + 4 * MiB });
    assert.equal((await client.request('PATCH', imagePath(id), { body: zero })).status, 507);
    await client.zero(id, { offsetBytes: 0, lengthBytes: MiB });
  });
});
