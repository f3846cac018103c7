import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { GiB, MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { FullStorage, needsFullStorage } from '../contract/full-storage.js';
import { assertSameImage, writeRandomImage, writeSparseImage } from '../support/images.js';
import { imageio, type Finished } from './imageio-under-test.js';

describe('imageio, before it moves a byte', () => {
  const skip = needsFullStorage();
  let deployment: Deployment;
  let cafile: string;
  /** 2 MiB of room. */
  let small: string;
  const resources = new AsyncDisposableStack();
  before(async () => {
    deployment = resources.use(await Deployment.start());
    cafile = deployment.pki.caFile;
    if (skip === false) small = resources.use(new FullStorage(deployment.folder.path)).path;
  });
  after(() => resources.disposeAsync());

  const file = (): string => deployment.folder.file(randomUUID());
  const run = (args: readonly string[], input?: Buffer): Promise<Finished> =>
    imageio([...args, '--cafile', cafile, '--resume', 'no'], input === undefined ? {} : { input });

  /** @returns the ticket */
  async function ticketFor(operation: 'read' | 'write', path: string, sizeBytes: number, sparse = false) {
    return deployment.addTicket(operation, path, sizeBytes, { sparse });
  }

  const urlOf = (ticket: string): string => `${deployment.daemon.url}/images/${ticket}`;

  async function emptyFile(path: string, sizeBytes = 0): Promise<string> {
    const image = await open(path, 'w');
    await image.truncate(sizeBytes);
    await image.close();
    return path;
  }

  async function transferredBytes(ticket: string): Promise<number> {
    return (await deployment.daemon.vdsm.getTicket(ticket)).transferred ?? 0;
  }

  test('refuses a disk that is larger than its ticket, and says what to do', async () => {
    const original = file();
    await writeRandomImage(original, 2 * MiB);
    const ticket = await ticketFor('write', await emptyFile(file()), MiB);
    const { code, stderr } = await run(['upload', original, urlOf(ticket)]);
    assert.equal(code, 4);
    assert.match(stderr, /^imageio: The transfer would fail: .*2097152.*1048576.*\. \S.*\.$/m);
    assert.equal(await transferredBytes(ticket), 0);
  });

  test('begins all the same when that is asked for', async () => {
    const original = file();
    await writeRandomImage(original, 2 * MiB);
    const ticket = await ticketFor('write', await emptyFile(file()), MiB);
    const { code, stderr } = await run([
      ...['upload', original, urlOf(ticket), '--no-preflight'],
      ...['--buffer-size', '1m', '--max-workers', '1'],
    ]);
    assert.equal(code, 4);
    assert.doesNotMatch(stderr, /would fail/);
    assert.equal(await transferredBytes(ticket), MiB);
  });

  test('refuses data that the storage of the service has no room for', { skip }, async () => {
    const original = file();
    await writeSparseImage(original, GiB, [{ offsetBytes: 7 * MiB, lengthBytes: 3 * MiB }]);
    for (const sparse of [false, true]) {
      const image = await emptyFile(join(small, randomUUID()), GiB);
      const ticket = await ticketFor('write', image, GiB, sparse);
      const { code, stderr } = await run(['upload', original, urlOf(ticket)]);
      assert.equal(code, 4);
      assert.match(stderr, /The data needs 3145728 more bytes, the storage has \d+ free/);
      assert.equal((await stat(image)).blocks, 0);
    }
  });

  test('is not worried about zeroes that need no room', { skip }, async () => {
    const original = file();
    await writeSparseImage(original, GiB, [{ offsetBytes: 512 * MiB, lengthBytes: MiB }]);
    const image = await emptyFile(join(small, 'zeroes'), GiB);
    const ticket = await ticketFor('write', image, GiB);
    const up = await run(['upload', original, urlOf(ticket)]);
    assert.deepEqual([up.code, up.stderr.includes('would fail')], [0, false], up.stderr);
    assert.ok((await stat(image)).blocks * 512 <= MiB + 64 * 1024);
    await writeFile(image, '');
  });

  test('refuses to download what its own disk has no room for, and leaves nothing', { skip }, async () => {
    const original = file();
    await writeSparseImage(original, GiB, [{ offsetBytes: 0, lengthBytes: 3 * MiB }]);
    const ticket = await ticketFor('read', original, GiB);
    for (const format of ['raw', 'qcow2']) {
      const copy = join(small, `copy.${format}`);
      const { code, stderr } = await run(['download', urlOf(ticket), copy, '--format', format]);
      assert.equal(code, 4, stderr);
      assert.match(stderr, /The data needs \d+ more bytes, the storage has \d+ free/);
      assert.equal(existsSync(copy), false);
    }
    assert.equal(await transferredBytes(ticket), 0);
  });

  test('fills an image that grows from standard input, up to what its ticket covers', async () => {
    const input = Buffer.alloc(MiB + 77, 'input');
    const image = await emptyFile(file());
    const ticket = await ticketFor('write', image, 2 * MiB);
    const up = await run(['upload', '-', urlOf(ticket)], input);
    assert.equal(up.code, 0, up.stderr);
    const content = await readFile(image);
    assert.equal(content.length, 2 * MiB);
    assert.ok(content.subarray(0, input.length).equals(input));
    assert.ok(content.subarray(input.length).every((byte) => byte === 0));
  });

  test('warns of what may go wrong, and moves the disk', async () => {
    const original = file();
    await writeRandomImage(original, MiB);
    const image = await emptyFile(file(), MiB);
    const ticket = await deployment.addTicket('write', image, MiB, { timeout: 50 });
    const { code, stderr } = await run(['upload', original, urlOf(ticket)]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^imageio: warning: .+\. .+/m);
    await assertSameImage(image, original);
  });
});
