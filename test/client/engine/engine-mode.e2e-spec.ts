import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, beforeEach, describe, test } from 'node:test';
import { KiB, MiB } from '../../../src/base/units.js';
import { freePort } from '../../support/free-port.js';
import { assertSameImage, writeRandomImage } from '../../support/images.js';
import type { EngineScript } from '../../support/scripted-engine/script.js';
import { credentials } from '../../support/scripted-engine/scripted-engine.js';
import { needs } from '../../support/requirements.js';
import { EngineUnderTest } from './engine-under-test.js';

describe('imageio with an engine', { skip: needs('qemu-img', 'qemu-nbd') }, () => {
  let under: EngineUnderTest;
  let original: string;
  const file = (): string => under.deployment.folder.file(randomUUID());
  before(async () => {
    under = await EngineUnderTest.start();
    original = file();
    await writeRandomImage(original, 3 * MiB);
  });
  beforeEach(async () => {
    under.engine.reset();
    for (const { id } of under.engine.disks.all) await under.engine.disks.remove(id);
  });
  after(() => under[Symbol.asyncDispose]());

  const upload = (...more: readonly string[]): ReturnType<EngineUnderTest['imageio']> =>
    under.imageio('upload-disk', '-s', 'data', '-f', 'raw', original, ...more);

  /** Nothing of what was begun is left at the engine. */
  function assertNothingLeft(): void {
    assert.deepEqual(
      under.engine.disks.all.map(({ status }) => status),
      [],
    );
  }

  async function assertUploaded(): Promise<void> {
    const [disk, ...others] = under.engine.disks.all;
    assert.equal(others.length, 0);
    assert.equal(disk?.status, 'ok');
    await assertSameImage(disk.stored.path, original);
  }

  async function fails(
    script: Partial<EngineScript>,
    code: number,
    words: RegExp,
    ...more: readonly string[]
  ): Promise<void> {
    under.engine.reset();
    Object.assign(under.engine.script, script);
    const failed = await upload(...more);
    assert.equal(failed.code, code, failed.stderr);
    assert.match(failed.stderr, words);
    assertNothingLeft();
  }

  test('tells which disk it made, and verifies it', async () => {
    const id = randomUUID();
    const { code, stdout, stderr } = await upload('--disk-id', id, '--name', 'mine', '--verify');
    assert.equal(code, 0, stderr);
    assert.equal(stdout, `uploaded 3.0 MiB: 3.0 MiB moved, verified\ndisk ${id}\n`);
    assert.equal(under.engine.disks.get(id).name, 'mine');
    await assertUploaded();
  });

  test('takes the password from a file, and gives its token back', async () => {
    const password = file();
    await writeFile(password, `${credentials.password}\n`);
    const { code, stderr } = await upload('--password-file', password);
    assert.equal(code, 0, stderr);
    const logouts = under.engine.requests.filter(({ path }) => path.startsWith('/services/sso-logout'));
    assert.equal(logouts.length, 1);
  });

  test('asks for another token when one has expired', async () => {
    under.engine.script.tokenRequests = 2;
    const { code, stderr } = await upload();
    assert.equal(code, 0, stderr);
    await assertUploaded();
  });

  test('goes to the proxy when the host cannot be reached', async () => {
    under.engine.script.transferOrigin = `https://localhost:${await freePort()}`;
    const log = file();
    const { code, stderr } = await upload('--log-file', log, '--log-level', 'info');
    assert.equal(code, 0, stderr);
    const words = await readFile(log, 'utf8');
    assert.match(words, /INFO https:\/\/localhost:\d+ cannot be reached: .*ECONNREFUSED/);
    assert.ok(words.includes(`INFO The image is reached at ${under.deployment.proxy.url}`), words);
    for (const { ticketId } of under.engine.transfers.all) assert.ok(!words.includes(ticketId));
    await assertUploaded();
  });

  test('takes the word of the disk where an engine has forgotten the transfer that is over', async () => {
    under.engine.script.forgetsTransfers = true;
    const up = await upload();
    assert.equal(up.code, 0, up.stderr);
    await assertUploaded();
    const copy = file();
    const down = await under.imageio('download-disk', '-f', 'raw', under.engine.disks.all[0]!.id, copy);
    assert.equal(down.code, 0, down.stderr);
    await assertSameImage(copy, original);
    under.engine.script.failsWhile = 'finalizing_success';
    const failed = await upload();
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /could not finalize the transfer: its disk is not there, or is illegal/);
    await assertUploaded();
  });

  test('tells the engine that it is there while it moves', async () => {
    under.engine.script.inactivitySeconds = 1;
    const larger = file();
    await writeRandomImage(larger, 12 * MiB);
    const limit = ['--limit-rate', '4m'];
    const { code, stderr } = await under.imageio('upload-disk', '-s', 'data', '-f', 'raw', larger, ...limit);
    assert.equal(code, 0, stderr);
    assert.ok(under.engine.requests.some(({ path }) => path.endsWith('/extend')));
  });

  test('says what failed, and leaves nothing behind', async () => {
    await fails(
      { failsWhile: 'initializing' },
      1,
      /The transfer ended at the engine: it is cancelled_system/,
    );
    await fails(
      { failsWhile: 'finalizing_success' },
      1,
      /The engine could not finalize the transfer: finished_failure/,
    );
    await fails({ makesIllegalDisks: true }, 1, /The engine could not make the disk: it is illegal/);
    await fails({}, 4, /The engine refused: Operation Failed: Entity not found/, '-s', 'elsewhere');
  });

  test('cancels what it cannot reach, neither at the host nor at the proxy', async () => {
    const nowhere = `https://localhost:${await freePort()}`;
    await fails(
      { transferOrigin: nowhere, proxyOrigin: nowhere },
      1,
      /The connection to the service failed.*ECONNREFUSED/,
      '--retries',
      '1',
    );
    assert.ok(under.engine.requests.some(({ path }) => path.endsWith('/cancel')));
  });

  test('does not touch a disk that it has not made', async () => {
    const id = randomUUID();
    assert.equal((await upload('--disk-id', id)).code, 0);
    const again = await under.imageio(
      'upload-disk',
      '-s',
      'data',
      '--name',
      'other',
      '--disk-id',
      id,
      original,
    );
    assert.equal(again.code, 4);
    assert.match(again.stderr, /The engine has a disk .* already/);
    await assertUploaded();
  });

  test('does not go to an engine whose certificate it cannot verify, unless it is told to', async () => {
    const { url } = under.engine;
    const { username, password } = credentials;
    await under.configure({ engine_url: url, username, password, secure: 'no' });
    const insecure = await upload();
    await under.configure({ engine_url: `${url}/ovirt-engine/api`, username, password });
    const secure = await upload();
    await under.configure({ engine_url: url, username, password, cafile: under.deployment.pki.caFile });
    assert.equal(insecure.code, 0, insecure.stderr);
    assert.match(insecure.stderr, /Certificates are not verified/);
    assert.equal(secure.code, 1);
    assert.match(secure.stderr, /certificate/);
  });

  test('says what is wrong with the command line', async () => {
    const wrong = async (...args: readonly [string, ...string[]]): Promise<string> => {
      const { code, stderr } = await under.imageio(...args);
      assert.equal(code, 2, stderr);
      return stderr;
    };
    const download = ['download-disk', randomUUID(), file()] as const;
    assert.match(await wrong('upload-disk', original), /--storage-domain/);
    assert.match(await wrong(...download, '-c', 'other'), /--engine-url are needed/);
    assert.match(await wrong(...download, '-c', 'nobody'), /has no section \[nobody\]/);
    assert.match(await wrong(...download, '--engine-url', 'http://x'), /reached by https/);
    assert.match(await wrong(...download, '--buffer-size', '32m'), /64k to 16m/);
    assert.match(await wrong(...download, '--shallow', '-f', 'raw'), /only a qcow2 file/);
    assert.deepEqual(under.engine.requests, []);
  });

  test('downloads the uppermost layer of a disk, with the zeroes that cover what is below', async () => {
    assert.equal((await under.imageio('upload-disk', '-s', 'data', original)).code, 0);
    const [disk] = under.engine.disks.all;
    const base = `${disk!.stored.path}.base`;
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', original, base]);
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', disk!.stored.path]);
    const changes = ['write -P 7 1M 64k', 'write -z 2M 128k'].flatMap((words) => ['-c', words]);
    execFileSync('qemu-io', ['-f', 'qcow2', ...changes, disk!.stored.path], { stdio: 'ignore' });
    const layer = file();
    const { code, stderr } = await under.imageio('download-disk', '--shallow', '--verify', disk!.id, layer);
    assert.equal(code, 0, stderr);
    const map = execFileSync('qemu-img', ['map', '-f', 'qcow2', '--output', 'json', layer], {
      encoding: 'utf8',
    });
    const allocated = (JSON.parse(map) as { present: boolean; length: number }[]).filter(
      ({ present }) => present,
    );
    assert.deepEqual(
      allocated.map(({ length }) => length),
      [64 * KiB, 128 * KiB],
    );
    execFileSync('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-b', base, '-F', 'qcow2', layer]);
    execFileSync('qemu-img', ['compare', '-q', '-f', 'qcow2', '-F', 'qcow2', layer, disk!.stored.path]);
  });
});
