import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../../src/base/units.js';
import { Log } from '../../../src/client/log.js';
import { EngineApi, type EngineTransfer } from '../../../src/client/engine/engine-api.js';
import { EngineConnection, type EngineAccess } from '../../../src/client/engine/engine-connection.js';
import { ImageTransfer } from '../../../src/client/engine/image-transfer.js';
import { ownHost } from '../../../src/client/engine/own-host.js';
import { reachImage } from '../../../src/client/engine/reach.js';
import { never } from '../../../src/client/never.js';
import { credentials } from '../../support/scripted-engine/scripted-engine.js';
import { host } from '../../support/scripted-engine/transfers.js';
import { EngineUnderTest } from './engine-under-test.js';

describe('a client on a host of the engine', () => {
  let under: EngineUnderTest;
  let access: EngineAccess;
  let connection: EngineConnection;
  let api: EngineApi;
  before(async () => {
    under = await EngineUnderTest.start();
    const { caPem: ca } = under.deployment.pki;
    access = { ...credentials, url: under.engine.url, ca, insecure: false, retriesMax: 0 };
    connection = new EngineConnection(access);
    api = new EngineApi(connection);
  });
  after(async () => {
    await connection.close(never);
    await under[Symbol.asyncDispose]();
  });

  const domain = async (): Promise<string> => 'data';

  async function hostOf(hardwareId: string): Promise<string | undefined> {
    const file = under.deployment.folder.file('vdsm.id');
    await writeFile(file, `${hardwareId}\n`);
    return ownHost(api, domain, never, file);
  }

  async function opened(): Promise<EngineTransfer> {
    const disk = await under.engine.disks.add({
      name: 'disk',
      provisioned_size: String(MiB),
      storage_domains: { storage_domain: [{ name: 'data' }] },
    });
    while (disk.status !== 'ok') under.engine.disks.poll(disk.id);
    const { id } = await api.addTransfer({ direction: 'upload', diskId: disk.id, hostId: undefined }, never);
    return new ImageTransfer(api, id, disk.id, log('open')).open(never);
  }

  function log(name: string): Log {
    return Log.toFile(under.deployment.folder.file(name), 'info');
  }

  test('finds it by what vdsm keeps of it, where the host can open disks of the storage domain', async () => {
    assert.equal(await hostOf(under.engine.script.hostHardwareId), host.id);
    assert.equal(await hostOf('4c4c4544-0000-1010-8030-00000000000f'), undefined);
    const search = under.engine.requests.findLast(({ path }) => path.startsWith('/api/hosts'));
    assert.equal(
      new URLSearchParams(search?.path.split('?')[1]).get('search'),
      'hw_id=4c4c4544-0000-1010-8030-00000000000f and datacenter=Default and status=Up',
    );
  });

  test('asks no engine where there is no vdsm', async () => {
    under.engine.reset();
    assert.equal(await ownHost(api, domain, never, under.deployment.folder.file('none')), undefined);
    assert.deepEqual(under.engine.requests, []);
  });

  test('goes through the unix socket of its own host, and of no other', async () => {
    const transfer = await opened();
    for (const ownHostId of [host.id, 'another', undefined]) {
      const name = `reached-${ownHostId ?? 'nowhere'}`;
      const image = await reachImage(transfer, { access, ownHostId, log: log(name), signal: never });
      assert.equal(image.sizeBytes, MiB);
      await image.close();
      const words = await readFile(under.deployment.folder.file(name), 'utf8');
      assert.equal(words.includes('through the unix socket'), ownHostId === host.id, words);
    }
  });
});
