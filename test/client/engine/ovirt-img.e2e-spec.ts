import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../../src/base/units.js';
import { assertSameImage, writeSparseImage } from '../../support/images.js';
import { needsPythonTool } from '../../support/python-tools.js';
import { needs } from '../../support/requirements.js';
import type { Finished } from '../imageio-under-test.js';
import { EngineUnderTest, outputLines, type OutputLine } from './engine-under-test.js';

const skip = needsPythonTool('ovirt-img', 'ovirt-img') || needs('qemu-img', 'qemu-nbd');

/** The scripted engine is judged by the Python client; then ours has to do, and to print, the same. */
describe('imageio and ovirt-img with an engine', { skip }, () => {
  let under: EngineUnderTest;
  let original: string;
  let sizeBytes: number;
  const file = (): string => under.deployment.folder.file(randomUUID());
  before(async () => {
    under = await EngineUnderTest.start();
    // The Python client sleeps for seconds between two looks.
    Object.assign(under.engine.script, { lockedPolls: 0, passingPolls: 0 });
    original = file();
    // No whole number of sectors: the engine rounds up.
    sizeBytes = 12 * MiB + 1000;
    await writeSparseImage(original, sizeBytes, [
      { offsetBytes: MiB, lengthBytes: 5 * MiB },
      { offsetBytes: sizeBytes - 1000, lengthBytes: 1000 },
    ]);
  });
  after(() => under[Symbol.asyncDispose]());

  /** Both clients at once, since one of them pauses for seconds. */
  async function both(
    command: string,
    argsFor: () => readonly string[],
  ): Promise<readonly [Finished, Finished]> {
    const [theirs, ours] = await Promise.all([
      under.ovirtImg(command, '--output', 'json', ...argsFor()),
      under.imageio(command, '--output', 'json', ...argsFor()),
    ]);
    return [theirs, ours];
  }

  function assertAlike(theirs: Finished, ours: Finished): void {
    const [their, our] = [outputLines(theirs.stdout), outputLines(ours.stdout)];
    assert.deepEqual(shapes(our), shapes(their));
    // The end comes twice.
    assert.deepEqual(our.slice(-2).map(withoutTime), their.slice(-2).map(withoutTime));
    for (const lines of [our, their]) assertGrowing(lines);
  }

  async function uploaded(format: 'raw' | 'qcow2'): Promise<void> {
    const [theirs, ours] = await both('upload-disk', () => [
      '-s',
      'data',
      '-f',
      format,
      '--name',
      randomUUID(),
      original,
    ]);
    assert.equal(theirs.code, 0, theirs.stderr);
    assert.equal(ours.code, 0, ours.stderr);
    assertAlike(theirs, ours);
  }

  test('upload the same disks, and print the same lines', async () => {
    await Promise.all([uploaded('raw'), uploaded('qcow2')]);
    const { all } = under.engine.disks;
    assert.equal(all.length, 4);
    for (const { stored, status } of all) {
      assert.equal(status, 'ok');
      compareDisks(original, 'raw', stored.path, stored.format === 'cow' ? 'qcow2' : 'raw');
    }
    // What is asked of the engine is the same but for who asks, and that ours chooses the id.
    const [one, other] = ['raw', 'cow'].map((format) =>
      all
        .filter(({ stored }) => stored.format === format)
        .map(({ wanted: { id = '', name, description, ...rest } }) => [
          typeof id,
          typeof name,
          typeof description,
          rest,
        ]),
    );
    for (const pair of [one, other]) assert.deepEqual(pair?.[0], pair?.[1]);
  });

  async function downloaded(format: 'raw' | 'qcow2', disks: readonly string[]): Promise<void> {
    const files = [file(), file()] as const;
    // What is there is longer, and of another format.
    for (const path of files)
      await writeSparseImage(path, 20 * MiB, [{ offsetBytes: 0, lengthBytes: 20 * MiB }]);
    const [theirs, ours] = await Promise.all([
      under.ovirtImg('download-disk', '--output', 'json', '-f', format, disks[0]!, files[0]),
      under.imageio('download-disk', '--output', 'json', '-f', format, disks[1]!, files[1]),
    ]);
    assert.equal(theirs.code, 0, theirs.stderr);
    assert.equal(ours.code, 0, ours.stderr);
    assertAlike(theirs, ours);
    compareDisks(files[0], format, files[1], format);
    compareDisks(files[1], format, original, 'raw');
    if (format === 'raw') await assertSameImage(files[1], files[0]);
  }

  test('download the same files in the place of what is there, and print the same lines', async () => {
    const disks = under.engine.disks.all.map(({ id }) => id);
    await Promise.all([downloaded('raw', disks.slice(0, 2)), downloaded('qcow2', disks.slice(2))]);
  });

  test('know an ISO image', async () => {
    const iso = file();
    const image = Buffer.alloc(20 * 2048);
    image.write('\x01CD001\x01', 16 * 2048, 'latin1');
    await writeFile(iso, image);
    const before = under.engine.disks.all.length;
    const [theirs, ours] = await both('upload-disk', () => ['-s', 'data', iso]);
    assertAlike(theirs, ours);
    for (const { wanted, stored } of under.engine.disks.all.slice(before)) {
      assert.deepEqual([wanted['content_type'], wanted['sparse'], wanted['format']], ['iso', 'false', 'raw']);
      assert.deepEqual(await readFile(stored.path), image);
    }
  });

  test('fail with the same lines when the password is wrong', async () => {
    const password = under.deployment.folder.file('wrong');
    await writeFile(password, 'wrong');
    const [theirs, ours] = await both('upload-disk', () => [
      '-s',
      'data',
      '--password-file',
      password,
      original,
    ]);
    assert.notEqual(theirs.code, 0);
    assert.equal(ours.code, 4);
    assertAlike(theirs, ours);
    assert.match(ours.stderr, /The username or password is incorrect/);
  });
});

/** What is said in which order, with which keys, however often. */
function shapes(lines: readonly OutputLine[]): readonly string[] {
  return lines
    .map((line) => `${line.description}: ${Object.keys(line).join(', ')}`)
    .filter((shape, index, all) => shape !== all[index - 1]);
}

function withoutTime({ description, size, transferred }: OutputLine): Omit<OutputLine, 'elapsed'> {
  return { description, transferred, ...(size === undefined ? {} : { size }) };
}

function assertGrowing(lines: readonly OutputLine[]): void {
  for (const [index, line] of lines.entries()) {
    const { transferred, elapsed } = lines[index - 1] ?? { transferred: 0, elapsed: 0 };
    assert.ok(line.transferred >= transferred && line.elapsed >= elapsed, JSON.stringify(line));
  }
}

/** As guests see them; what one has beyond the other has to be zero. */
function compareDisks(one: string, oneFormat: string, other: string, otherFormat: string): void {
  execFileSync('qemu-img', ['compare', '-q', '-f', oneFormat, '-F', otherFormat, one, other]);
}
