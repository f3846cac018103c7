import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { after, before, beforeEach, describe, test } from 'node:test';
import { MiB } from '../../../src/base/units.js';
import { eventually } from '../../support/deadline.js';
import { assertSameImage, writeRandomImage } from '../../support/images.js';
import { needs } from '../../support/requirements.js';
import type { Program } from '../../support/program.js';
import { EngineUnderTest, outputLines, type OutputLine } from './engine-under-test.js';

const sizeBytes = 24 * MiB;

describe(
  'a disk that is moved through an engine and interrupted',
  { skip: needs('qemu-img', 'qemu-nbd') },
  () => {
    let under: EngineUnderTest;
    let original: string;
    const file = (): string => under.deployment.folder.file(randomUUID());
    before(async () => {
      under = await EngineUnderTest.start();
      original = file();
      await writeRandomImage(original, sizeBytes);
    });
    beforeEach(async () => {
      under.engine.reset();
      for (const { id } of under.engine.disks.all) await under.engine.disks.remove(id);
    });
    after(() => under[Symbol.asyncDispose]());

    const upload = ['upload-disk', '-s', 'data', '-f', 'raw', '-o', 'json'] as const;

    async function started(...args: readonly [string, ...string[]]): Promise<Program> {
      const program = await under.startImageio(...args, '--limit-rate', '8m');
      await program.waitForLine(
        (line) => (transferredBytes(line) > MiB ? line : undefined),
        'some to be moved',
      );
      return program;
    }

    /** As Ctrl-C. */
    async function interrupt(program: Program): Promise<void> {
      program.signal('SIGINT');
      assert.deepEqual(await program.waitForExit(), { code: 130, signal: null });
    }

    test('goes on with the upload that it has paused', async () => {
      const program = await started(...upload, original);
      await interrupt(program);
      const [transfer] = under.engine.transfers.all.slice(-1);
      assert.equal(transfer?.phase, 'paused_user');
      assert.ok(program.lines.some((line) => line.includes(`Transfer ${transfer.id} is paused`)));
      const again = await under.imageio(...upload, original, '--verify');
      assert.equal(again.code, 0, again.stderr);
      assert.ok(outputLines(again.stdout).some(({ description }) => description === 'resuming transfer'));
      assert.equal(transfer.phase, 'finished_success');
      const [disk, ...others] = under.engine.disks.all;
      assert.equal(others.length, 0);
      assert.equal(disk?.status, 'ok');
      await assertSameImage(disk.stored.path, original);
      assert.deepEqual(await readdir(under.stateFolder), []);
    });

    test('goes on with the download that it has paused', async () => {
      assert.equal((await under.imageio(...upload, original)).code, 0);
      const [disk] = under.engine.disks.all;
      const copy = file();
      const command = ['download-disk', disk!.id, copy, '-f', 'qcow2', '-o', 'json'] as const;
      await interrupt(await started(...command));
      const [transfer] = under.engine.transfers.all.slice(-1);
      assert.equal(transfer?.phase, 'paused_user');
      const again = await under.imageio(...command);
      assert.equal(again.code, 0, again.stderr);
      assert.equal(transfer.phase, 'finished_success');
      execFileSync('qemu-img', ['compare', '-q', '-f', 'qcow2', '-F', 'raw', copy, original]);
      assert.deepEqual(await readdir(under.stateFolder), []);
    });

    test('goes on when the engine has paused it because it heard nothing', async () => {
      const program = await started(...upload, original);
      const [transfer] = under.engine.transfers.all.slice(-1);
      await under.engine.transfers.pauseBySystem(transfer!);
      assert.deepEqual(await program.waitForExit(), { code: 0, signal: null });
      assert.ok(under.engine.requests.some(({ path }) => path.endsWith('/resume')));
      await assertSameImage(under.engine.disks.all[0]!.stored.path, original);
    });

    test('goes on with what a run has left that was killed', async () => {
      const program = await started(...upload, original);
      await program.kill();
      const again = await under.imageio(...upload, original);
      assert.equal(again.code, 0, again.stderr);
      const [disk, ...others] = under.engine.disks.all;
      assert.equal(others.length, 0);
      await assertSameImage(disk!.stored.path, original);
    });

    for (const collection of ['disks', 'imagetransfers'] as const)
      test(`finds what was made of its ${collection} when the answer is lost`, async () => {
        under.engine.script.losesAnswers = { collection, times: 1 };
        const before = under.engine.transfers.all.length;
        const { code, stderr } = await under.imageio(...upload, original);
        assert.equal(code, 0, stderr);
        assert.match(stderr, /WARNING The engine is asked again/);
        const [disk, ...others] = under.engine.disks.all;
        assert.deepEqual([others.length, disk?.status], [0, 'ok']);
        assert.equal(under.engine.transfers.all.length, before + 1);
        await assertSameImage(disk!.stored.path, original);
      });

    test('finds the download that was begun when the answer is lost', async () => {
      assert.equal((await under.imageio(...upload, original)).code, 0);
      const [disk] = under.engine.disks.all;
      const before = under.engine.transfers.all.length;
      under.engine.script.losesAnswers = { collection: 'imagetransfers', times: 1 };
      const copy = file();
      const { code, stderr } = await under.imageio('download-disk', disk!.id, copy, '-f', 'raw');
      assert.equal(code, 0, stderr);
      assert.equal(under.engine.transfers.all.length, before + 1);
      await assertSameImage(copy, original);
    });

    for (const collection of ['disks', 'imagetransfers'] as const)
      test(`goes on with its ${collection} when it was killed before it heard of them`, async () => {
        under.engine.script.losesAnswers = { collection, times: 100 };
        const before = under.engine.transfers.all.length;
        const made = (): unknown =>
          collection === 'disks' ? under.engine.disks.all[0] : under.engine.transfers.all[before];
        const program = await under.startImageio(...upload, original);
        await eventually(made, 'it is made');
        await program.kill();
        under.engine.script.losesAnswers = undefined;
        const again = await under.imageio(...upload, original);
        assert.equal(again.code, 0, again.stderr);
        assert.equal(under.engine.disks.all.length, 1);
        assert.equal(under.engine.transfers.all.length, before + 1);
        await assertSameImage(under.engine.disks.all[0]!.stored.path, original);
      });

    test('refuses the same command while it runs, and not another one', async () => {
      const program = await started(...upload, original);
      const same = await under.imageio(...upload, original);
      assert.equal(same.code, 1);
      assert.match(same.stderr, /^imageio: The same command is running already/m);
      const state = file();
      const other = await under.imageio(...upload, original, '--state', state);
      assert.equal(other.code, 0, other.stderr);
      assert.deepEqual(await program.waitForExit(), { code: 0, signal: null });
      assert.equal(under.engine.disks.all.length, 2);
    });

    test('writes to its log what fails and is tried again', async () => {
      await using lone = await EngineUnderTest.start();
      const log = file();
      const program = await lone.startImageio(...upload, original, '--limit-rate', '4m', '--log-file', log);
      await program.waitForLine(
        (line) => (transferredBytes(line) > MiB ? line : undefined),
        'some to be moved',
      );
      await lone.deployment.daemon.program.kill();
      await eventually(async () => {
        const words = await readFile(log, 'utf8').catch(() => '');
        return /Z WARNING again in \d+\.\d\d s: /.test(words) ? true : undefined;
      }, 'a retry is in the log');
      await program.kill();
      await lone.deployment.restart('daemon');
    });

    test('takes back what an earlier run has left when it is told to begin anew', async () => {
      await interrupt(await started(...upload, original));
      const [left] = under.engine.disks.all;
      const [transfer] = under.engine.transfers.all.slice(-1);
      const anew = await under.imageio(...upload, original, '--resume', 'no');
      assert.equal(anew.code, 0, anew.stderr);
      assert.equal(transfer?.phase, 'finished_cleanup');
      const [disk, ...others] = under.engine.disks.all;
      assert.equal(others.length, 0);
      assert.notEqual(disk?.id, left?.id);
      assert.deepEqual(await readdir(under.stateFolder), []);
    });

    test('begins anew when the engine has ended what an earlier run began', async () => {
      await interrupt(await started(...upload, original));
      const [transfer] = under.engine.transfers.all.slice(-1);
      await under.engine.transfers.act(transfer!.id, 'cancel');
      const again = await under.imageio(...upload, original);
      assert.equal(again.code, 0, again.stderr);
      assert.match(again.stderr, /has ended at the engine: beginning anew/);
      const [disk, ...others] = under.engine.disks.all;
      assert.equal(others.length, 0);
      await assertSameImage(disk!.stored.path, original);
    });

    test('leaves a good disk alone, of which an earlier run has not seen the end', async () => {
      await interrupt(await started(...upload, original));
      const [transfer] = under.engine.transfers.all.slice(-1);
      await under.engine.transfers.act(transfer!.id, 'finalize');
      await under.engine.transfers.poll(transfer!.id);
      await under.engine.transfers.poll(transfer!.id);
      assert.equal(transfer?.phase, 'finished_success');
      for (const more of [['--resume', 'no'], []]) {
        const anew = await under.imageio(...upload, original, ...more);
        assert.equal(anew.code, 0, anew.stderr);
        assert.equal(under.engine.disks.get(transfer.disk.id).status, 'ok');
      }
    });

    test('takes the disk back that is not what was read', async () => {
      const program = await started(...upload, original, '--verify');
      {
        await using disk = await open(under.engine.disks.all[0]!.stored.path, 'r+');
        // What is changed before it was written would be mended by the upload.
        await eventually(async () => {
          const { buffer } = await disk.read(Buffer.alloc(4096), 0, 4096, 0);
          return buffer.some((byte) => byte !== 0) || undefined;
        }, 'the first block is written');
        await disk.write(Buffer.alloc(4096), 0, 4096, 0);
      }
      assert.deepEqual(await program.waitForExit(), { code: 3, signal: null });
      assert.equal(under.engine.transfers.all.at(-1)?.phase, 'finished_cleanup');
      assert.deepEqual(under.engine.disks.all, []);
      assert.deepEqual(await readdir(under.stateFolder), []);
    });

    test('takes the disk back when it is interrupted while the engine makes it', async () => {
      under.engine.script.lockedPolls = 4;
      const program = await under.startImageio(...upload, original);
      await program.waitForLine((line) => (line.includes('creating disk') ? line : undefined), 'a disk');
      await interrupt(program);
      assert.deepEqual(under.engine.disks.all, []);
      assert.deepEqual(await readdir(under.stateFolder), []);
    });
  },
);

function transferredBytes(line: string): number {
  return line.startsWith('{') ? (JSON.parse(line) as OutputLine).transferred : 0;
}
