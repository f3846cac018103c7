import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFile, stat, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { missing } from '../nbd/servers.js';
import { writeRandomImage } from '../support/images.js';
import { imageio, type Finished } from './imageio-under-test.js';

const sizeBytes = 5 * MiB + 700;

describe('imageio receipt', () => {
  let deployment: Deployment;
  let cafile: string;
  let original: string;
  before(async () => {
    deployment = await Deployment.start();
    cafile = deployment.pki.caFile;
    original = file();
    await writeRandomImage(original, sizeBytes);
  });
  after(() => deployment[Symbol.asyncDispose]());

  function file(): string {
    return deployment.folder.file(randomUUID());
  }

  async function run(...args: readonly string[]): Promise<Finished> {
    return imageio(args, { stateHome: deployment.folder.path });
  }

  async function imageUrl(): Promise<string> {
    const image = file();
    await copyFile(original, image);
    return `${deployment.daemon.url}/images/${await deployment.addTicket('write', image, sizeBytes)}`;
  }

  test('tells what was uploaded, keeps the receipt, and checks it without the service', async () => {
    const url = await imageUrl();
    await run('upload', original, url, '--cafile', cafile);
    const kept = file();
    const fetched = await run('receipt', url, '--cafile', cafile, '--save', kept, '--disk', original);
    assert.equal(fetched.code, 0, fetched.stderr);
    const { stdout: checksum } = await run('checksum', original);
    assert.ok(fetched.stdout.includes(checksum.trim()), fetched.stdout);
    assert.match(fetched.stdout, /^signed by DNS:localhost, .* with ES256\n/);
    assert.match(fetched.stdout, new RegExp(`^${sizeBytes} of ${sizeBytes} bytes .* are durable$`, 'm'));
    assert.ok(fetched.stdout.endsWith(`${original} is that image\n`));
    assert.equal((await stat(kept)).mode & 0o777, 0o600);

    const later = await run('receipt', kept, '--cafile', cafile, '--host', 'localhost', '--disk', original);
    assert.deepEqual([later.code, later.stdout], [0, fetched.stdout], later.stderr);
    const again = await run('receipt', url, '--cafile', cafile, '--save', kept);
    assert.deepEqual([again.code, again.stderr], [1, `imageio: ${kept} exists already\n`]);
  });

  test('hands on the receipt of the daemon through a proxy', async () => {
    const signed = file();
    await writeFile(signed, deployment.signTicket((await imageUrl()).split('/').at(-1) ?? ''));
    const through = [deployment.proxy.url, '--signed-ticket', signed, '--cafile', cafile];
    const { code, stderr } = await run('receipt', ...through, '--disk', original);
    assert.equal(code, 0, stderr);
  });

  test('is of a disk of any format', { skip: missing('qemu-img', 'qemu-nbd') }, async () => {
    const [whole, qcow2] = [file(), file()];
    await writeRandomImage(whole, 4 * MiB);
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', whole, qcow2]);
    const ticket = await deployment.addTicket('read', whole, 4 * MiB);
    const url = `${deployment.daemon.url}/images/${ticket}`;
    const { code, stderr } = await run('receipt', url, '--cafile', cafile, '--disk', qcow2);
    assert.equal(code, 0, stderr);
  });

  test('ends with 3 for another disk, and for what is no receipt', async () => {
    const [other, nothing] = [file(), file()];
    await writeRandomImage(other, sizeBytes);
    await writeFile(nothing, '{}');
    const url = await imageUrl();
    const differs = await run('receipt', url, '--cafile', cafile, '--disk', other);
    assert.deepEqual([differs.code, differs.stdout], [3, '']);
    assert.equal(differs.stderr, `imageio: ${other} is not the image of the receipt\n`);
    const untrusted = await run('receipt', nothing, '--cafile', cafile);
    assert.equal(untrusted.code, 3);
    assert.match(untrusted.stderr, /^imageio: The receipt cannot be trusted: /);
  });

  test('says what is wrong with the command, and what the service refuses', async () => {
    const withoutAuthority = await run('receipt', await imageUrl());
    assert.equal(withoutAuthority.code, 2);
    assert.match(withoutAuthority.stderr, /--cafile names the authorities/);
    const unknown = await run('receipt', `${deployment.daemon.url}/images/none`, '--cafile', cafile);
    assert.equal(unknown.code, 4);
  });
});
