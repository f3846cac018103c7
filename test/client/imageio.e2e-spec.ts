import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { GiB, MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { assertSameImage, writeRandomImage, writeSparseImage } from '../support/images.js';
import { imageio, startImageio } from './imageio-under-test.js';

describe('imageio', () => {
  let deployment: Deployment;
  let cafile: string;
  let stateHome: string;
  before(async () => {
    deployment = await Deployment.start();
    cafile = deployment.pki.caFile;
    stateHome = deployment.folder.file('state');
  });
  after(() => deployment[Symbol.asyncDispose]());

  const file = (): string => deployment.folder.file(randomUUID());
  const run = (...args: readonly string[]): ReturnType<typeof imageio> =>
    imageio([...args, ...(args[0] === 'help' ? [] : ['--cafile', cafile])], { stateHome });

  async function emptyImage(sizeBytes: number): Promise<string> {
    const path = file();
    const image = await open(path, 'w');
    await image.truncate(sizeBytes);
    await image.close();
    return path;
  }

  async function imageUrl(operation: 'read' | 'write', path: string, sizeBytes: number): Promise<string> {
    return `${deployment.daemon.url}/images/${await deployment.addTicket(operation, path, sizeBytes)}`;
  }

  async function uploaded(sizeBytes: number): Promise<{ original: string; image: string; url: string }> {
    const original = file();
    await writeRandomImage(original, sizeBytes);
    const image = await emptyImage(sizeBytes);
    return { original, image, url: await imageUrl('write', image, sizeBytes) };
  }

  test('uploads, verifies, downloads and says what it did', async () => {
    const { original, image, url } = await uploaded(21 * MiB + 4321);
    const up = await run('upload', original, url, '--verify');
    assert.equal(up.code, 0, up.stderr);
    assert.match(up.stdout, /^uploaded 21\.0 MiB: 21\.0 MiB moved, verified\n$/);
    await assertSameImage(image, original);
    const again = await run('verify', original, url);
    assert.deepEqual([again.code, again.stderr], [0, '']);
    const copy = file();
    const down = await run('download', await imageUrl('read', image, 21 * MiB + 4321), copy);
    assert.equal(down.code, 0, down.stderr);
    await assertSameImage(copy, original);
    const sums = await Promise.all([run('checksum', original), run('checksum', url)]);
    assert.equal(sums[0].stdout, sums[1].stdout);
    assert.match(sums[0].stdout, /^[0-9a-f]{64}\n$/);
  });

  test('goes through the unix socket of the host', async () => {
    const { original, image, url } = await uploaded(MiB);
    const local = deployment.daemon.address('local');
    assert.ok(local.kind === 'unix');
    const place = `unix://${local.path.replace('\0', '@')}?id=${url.split('/').at(-1) ?? ''}`;
    const { code, stderr } = await run('upload', original, place);
    assert.equal(code, 0, stderr);
    await assertSameImage(image, original);
  });

  test('opens a session at a proxy with a signed ticket, and ends it', async () => {
    const { original, image, url } = await uploaded(5 * MiB);
    const signed = file();
    const id = url.split('/').at(-1) ?? '';
    await writeFile(signed, deployment.signTicket(id));
    const { code, stderr } = await run(
      'upload',
      original,
      deployment.proxy.url,
      '--signed-ticket',
      signed,
      '--verify',
    );
    assert.equal(code, 0, stderr);
    await assertSameImage(image, original);
  });

  test('takes a qcow2 file with what it is based on, and makes one', async () => {
    const base = file();
    const overlay = file();
    await writeSparseImage(base, 32 * MiB, [{ offsetBytes: 3 * MiB, lengthBytes: 5 * MiB }]);
    qemuImg('create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, overlay);
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 20M 1M', overlay], { stdio: 'ignore' });
    const image = await emptyImage(32 * MiB);
    const url = await imageUrl('write', image, 32 * MiB);
    const up = await run('upload', overlay, url, '--verify');
    assert.equal(up.code, 0, up.stderr);
    qemuImg('compare', '-q', '-f', 'qcow2', '-F', 'raw', overlay, image);
    const copy = file();
    const down = await run('download', url, copy, '--format', 'qcow2');
    assert.equal(down.code, 0, down.stderr);
    qemuImg('compare', '-q', '-f', 'qcow2', '-F', 'raw', copy, image);
  });

  test('reads standard input and writes standard output', async () => {
    const original = Buffer.alloc(5 * MiB + 77, 'stream');
    const image = await emptyImage(original.length);
    const url = await imageUrl('write', image, original.length);
    const up = await imageio(['upload', '-', url, '--cafile', cafile], { input: original });
    assert.equal(up.code, 0, up.stderr);
    assert.ok(original.equals(await readFile(image)));
    const down = await run('download', url, '-');
    assert.equal(down.code, 0, down.stderr);
    assert.ok(original.equals(Buffer.from(down.stdout, 'latin1')));
  });

  test('fails when the input is larger than the image', async () => {
    const image = await emptyImage(MiB);
    const url = await imageUrl('write', image, MiB);
    const { code, stderr } = await imageio(['upload', '-', url, '--cafile', cafile], {
      input: Buffer.alloc(2 * MiB, 1),
    });
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`The input has more than the ${MiB} bytes of the image`));
  });

  test('stops at the first interrupt and goes on with the same command', async () => {
    const { original, image, url } = await uploaded(48 * MiB);
    const command = ['upload', original, url, '--cafile', cafile, '--output', 'json'];
    const first = await startImageio([...command, '--limit-rate', '16m'], stateHome);
    await first.waitForLine((line) => (sentBytes(line) > 8 * MiB ? line : undefined), 'some to be sent');
    process.kill(first.pid, 'SIGINT');
    assert.deepEqual(await first.waitForExit(), { code: 130, signal: null });
    const second = await run(...command.slice(0, 3), '--output', 'json', '--verify');
    assert.equal(second.code, 0, second.stderr);
    const result = JSON.parse(second.stdout.trim().split('\n').at(-1)!) as { event: string; sent: number };
    assert.equal(result.event, 'result');
    assert.ok(result.sent < 40 * MiB, `${result.sent} bytes sent again`);
    await assertSameImage(image, original);
    assert.deepEqual(await readdir(join(stateHome, 'imageio')), []);
  });

  test('refuses to go on with a file that was changed', async () => {
    const { original, url } = await uploaded(48 * MiB);
    const command = ['upload', original, url, '--cafile', cafile, '--output', 'json', '--limit-rate', '16m'];
    const first = await startImageio(command, stateHome);
    await first.waitForLine((line) => (sentBytes(line) > MiB ? line : undefined), 'some to be sent');
    process.kill(first.pid, 'SIGINT');
    await first.waitForExit();
    await writeRandomImage(original, 48 * MiB);
    const second = await run('upload', original, url);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /The source has changed/);
    const anew = await run('upload', original, url, '--resume', 'no');
    assert.equal(anew.code, 0, anew.stderr);
  });

  test('tells with its exit code what failed', async () => {
    const { original, url } = await uploaded(MiB);
    const code = async (...args: readonly string[]): Promise<number> => (await run(...args)).code;
    assert.equal(await code('upload', original), 2);
    assert.equal(await code('upload', original, 'ftp://x'), 2);
    assert.equal(await code('upload', original, url, '--max-workers', 'many'), 2);
    assert.equal(await code('upload', original, `${deployment.daemon.url}/images/none`), 4);
    assert.equal(await code('upload', file(), url), 1);
    assert.equal(await code('verify', original, url), 3);
    assert.equal(await code('download', url, original), 1);
    assert.equal(await code('--version'), 0);
  });

  test('does not write over a file, nor leave one that it made in vain', async () => {
    const { original, url } = await uploaded(MiB);
    const { stderr } = await run('download', url, original);
    assert.match(stderr, /exists: --overwrite writes over it/);
    const copy = file();
    assert.equal((await run('download', `${url}x`, copy)).code, 4);
    assert.equal(existsSync(copy), false);
  });

  test('leaves an empty file that was there before, and makes it the disk', async () => {
    const { image, url } = await uploaded(MiB);
    const mine = await emptyImage(0);
    assert.equal((await run('download', `${url}x`, mine)).code, 4);
    assert.ok(existsSync(mine));
    assert.equal((await run('download', url, mine)).code, 0);
    await assertSameImage(mine, image);
  });

  test('does not go on over a file that has taken the place of the one it wrote to', async () => {
    const { original, url } = await uploaded(48 * MiB);
    const read = await imageUrl('read', original, 48 * MiB);
    assert.notEqual(url, read);
    const copy = file();
    const command = ['download', read, copy, '--cafile', cafile, '--output', 'json', '--limit-rate', '16m'];
    const first = await startImageio(command, stateHome);
    await first.waitForLine((line) => (sentBytes(line) > MiB ? line : undefined), 'some to be sent');
    process.kill(first.pid, 'SIGINT');
    await first.waitForExit();
    await rename(copy, `${copy}.old`);
    await writeFile(copy, 'precious');
    const second = await run('download', read, copy);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /exists: --overwrite writes over it/);
    assert.equal(await readFile(copy, 'utf8'), 'precious');
    await rename(`${copy}.old`, copy);
    assert.equal((await run('download', read, copy)).code, 0);
    await assertSameImage(copy, original);
  });

  test('verifies against an image that is larger than the file', async () => {
    const original = file();
    await writeRandomImage(original, 5 * MiB + 100);
    const image = await emptyImage(8 * MiB);
    const url = await imageUrl('write', image, 8 * MiB);
    const { code, stderr } = await run('upload', original, url, '--verify');
    assert.equal(code, 0, stderr);
  });

  test('prints extents and capabilities', async () => {
    const sparse = file();
    await writeSparseImage(sparse, GiB, [{ offsetBytes: 512 * MiB, lengthBytes: MiB }]);
    const url = await imageUrl('read', sparse, GiB);
    const { stdout } = await run('extents', url, '--output', 'json');
    const extents = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { length: number; zero: boolean });
    assert.deepEqual(
      extents.map(({ length, zero }) => [length, zero]),
      [
        [512 * MiB, true],
        [MiB, false],
        [511 * MiB, true],
      ],
    );
    assert.match(
      (await run('info', url)).stdout,
      /^1\.0 GiB \(1073741824 bytes\)\nfeatures: checksum, extents\n/,
    );
    assert.match((await run('info', sparse)).stdout, /^raw, 1\.0 GiB/);
  });
});

function sentBytes(line: string): number {
  if (!line.startsWith('{')) return 0;
  return (JSON.parse(line) as { sent?: number }).sent ?? 0;
}

function qemuImg(...args: readonly string[]): void {
  execFileSync('qemu-img', args, { stdio: 'ignore' });
}
