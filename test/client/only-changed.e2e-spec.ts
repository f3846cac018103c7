import assert from 'node:assert/strict';
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { copyFile, open, truncate } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { CutWay } from '../sdk/cut-way.js';
import { assertSameImage, writeRandomImage, writeSparseImage } from '../support/images.js';
import { imageio, startImageio, type Finished } from './imageio-under-test.js';

/** `CHANGED_IMAGE_MIB=1024 npm test -- only-changed` takes an image of 1 GiB. */
const changedImageMiB = Number(process.env['CHANGED_IMAGE_MIB'] ?? 100);

describe('imageio --only-changed', () => {
  let deployment: Deployment;
  let cafile: string;
  let stateHome: string;
  let port: number;
  before(async () => {
    deployment = await Deployment.start();
    cafile = deployment.pki.caFile;
    stateHome = deployment.folder.file('state');
    const address = deployment.daemon.address('remote');
    assert.ok(address.kind === 'tls');
    port = address.port;
  });
  after(() => deployment[Symbol.asyncDispose]());

  const file = (): string => deployment.folder.file(randomUUID());

  async function place(operation: 'read' | 'write', path: string, sizeBytes: number): Promise<string> {
    return `${deployment.daemon.url}/images/${await deployment.addTicket(operation, path, sizeBytes)}`;
  }

  async function run(...args: readonly string[]): Promise<Finished> {
    return imageio([...args, '--only-changed', '--cafile', cafile], { stateHome });
  }

  /** @returns how many bytes of data were moved */
  async function moved(...args: readonly string[]): Promise<number> {
    const { code, stdout, stderr } = await run(...args, '--output', 'json', '--progress', 'none');
    assert.equal(code, 0, stderr);
    const { sent } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { sent: number };
    return sent;
  }

  /** A file, and a copy of it that differs from `offsetBytes` on. */
  async function changed(sizeBytes: number, offsetBytes: number, lengthBytes: number) {
    const [original, image] = [file(), file()];
    await writeRandomImage(original, sizeBytes);
    await copyFile(original, image);
    await using opened = await open(image, 'r+');
    await opened.write(randomBytes(lengthBytes), 0, lengthBytes, offsetBytes);
    return { original, image };
  }

  test('sends 1 % of an image that has changed in no more than 1.2 % of its bytes', async () => {
    const sizeBytes = changedImageMiB * MiB;
    const changedBytes = Math.floor(sizeBytes / 100);
    const block = randomInt(Math.floor((sizeBytes - changedBytes) / MiB) + 1);
    const { original, image } = await changed(sizeBytes, block * MiB, changedBytes);
    const ticket = await deployment.addTicket('write', image, sizeBytes);
    await using way = await CutWay.to(port);
    await moved('upload', original, `https://localhost:${way.port}/images/${ticket}`);
    await assertSameImage(image, original);
    const share = way.passedBytes / sizeBytes;
    assert.ok(share <= 0.012, `${way.passedBytes} bytes were sent, ${(100 * share).toFixed(2)} %`);
  });

  test('makes zeroes of what has become zeroes, and data of what has become data', async () => {
    const [original, image] = [file(), file()];
    await writeSparseImage(original, 32 * MiB, [{ offsetBytes: 4 * MiB, lengthBytes: 4 * MiB }]);
    await writeSparseImage(image, 32 * MiB, [{ offsetBytes: 20 * MiB, lengthBytes: 4 * MiB }]);
    assert.equal(await moved('upload', original, await place('write', image, 32 * MiB)), 4 * MiB);
    await assertSameImage(image, original);
  });

  test('adds what is missing at the end of a file that is shorter', async () => {
    const { original, image } = await changed(9 * MiB + 700, 0, 1);
    await truncate(image, 5 * MiB + 300);
    const sent = await moved('upload', original, await place('write', image, 9 * MiB + 700), '--verify');
    assert.equal(sent, 5 * MiB + 400);
    await assertSameImage(image, original);
  });

  test('receives what has changed into a file that is there, or all into a new one', async () => {
    const { original, image } = await changed(24 * MiB + 512, 7 * MiB + 5, MiB);
    const url = await place('read', original, 24 * MiB + 512);
    assert.equal(await moved('download', url, image), 2 * MiB);
    await assertSameImage(image, original);
    const copy = file();
    assert.equal(await moved('download', url, copy), 24 * MiB + 512);
    await assertSameImage(copy, original);
  });

  test('copies between images without reading what is the same', async () => {
    const { original, image } = await changed(24 * MiB, 20 * MiB, 5);
    const readTicket = await deployment.addTicket('read', original, 24 * MiB);
    const target = await place('write', image, 24 * MiB);
    assert.equal(await moved('copy', `${deployment.daemon.url}/images/${readTicket}`, target), MiB);
    await assertSameImage(image, original);
    const { transferred } = await deployment.daemon.vdsm.getTicket(readTicket);
    // What is read is a piece of 4 MiB.
    assert.equal(transferred, 4 * MiB);
  });

  test('goes on when it was interrupted, also with a source that has changed meanwhile', async () => {
    const { original, image } = await changed(48 * MiB, 0, 40 * MiB);
    const url = await place('write', image, 48 * MiB);
    const command = ['upload', original, url, '--only-changed', '--cafile', cafile];
    const first = await startImageio([...command, '--limit-rate', '16m', '--output', 'json'], stateHome);
    const isUnderWay = (line: string): true | undefined => (/"sent":[1-9]/.test(line) ? true : undefined);
    await first.waitForLine(isUnderWay, 'some to be sent');
    first.signal('SIGINT');
    assert.equal((await first.waitForExit()).code, 130);
    await using opened = await open(original, 'r+');
    await opened.write(randomBytes(MiB), 0, MiB, 45 * MiB);
    const sent = await moved('upload', original, url);
    assert.ok(sent > MiB && sent < 40 * MiB, `${sent} bytes were sent`);
    await assertSameImage(image, original);
  });

  test('refuses what flows by, which cannot be compared before it is sent', async () => {
    const image = file();
    await writeRandomImage(image, MiB);
    const url = await place('write', image, MiB);
    for (const words of [
      ['upload', '-', url],
      ['download', url, '-'],
    ]) {
      const { code, stderr } = await run(...words);
      assert.deepEqual([code, stderr.includes('--only-changed needs a file')], [2, true], stderr);
    }
  });
});
