import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { DaemonUnderTest, type ImageTicket } from '../e2e/daemon-under-test.js';
import { missing, waitForFile, Workspace } from '../nbd/servers.js';
import { writeConfiguration } from '../support/configuration.js';
import { eventually } from '../support/deadline.js';
import { Program, type Exit } from '../support/program.js';
import { pinnedNode, projectRoot } from '../support/project.js';

const program = join(projectRoot, 'dist', 'ctl', 'main.js');

interface Outcome extends Exit {
  readonly lines: readonly string[];
}

describe('ovirt-imageioctl copy', () => {
  let fixture: DaemonUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start({ control: { remove_timeout: 1 } });
  });
  after(() => fixture[Symbol.asyncDispose]());

  const start = (...args: string[]): Promise<Program> =>
    Program.start(pinnedNode, [program, '-c', fixture.folder.file('daemon'), 'copy', ...args]);
  const run = async (...args: string[]): Promise<Outcome> => {
    const started = await start(...args);
    return { ...(await started.waitForExit()), lines: started.lines };
  };

  test('shows how far it is, and in the end what was copied', async () => {
    const content = randomBytes(8 * MiB);
    const source = await fixture.addImage(content, { ops: ['read'] });
    const target = await fixture.addImage(0, { size: content.length });
    const { code, lines } = await run(source.id, target.id, '--verify');
    assert.equal(code, 0, lines.join('\n'));
    assert.equal(lines.at(-1), 'copied 8 MiB, zeroed 0 B, skipped 0 B');
    assert.match(lines.at(-2) ?? '', /^100 % of 16 MiB, [\d.]+ [KMG]iB\/s$/);
    assert.ok((await fixture.contentOf(target)).equals(content));
  });

  test('prints the job for programs, and reads an id from the standard input', async () => {
    const [source, target] = [await fixture.addImage(MiB), await fixture.addImage(MiB, { sparse: true })];
    const started = await Program.start(
      pinnedNode,
      [program, '-c', fixture.folder.file('daemon'), 'copy', '-', target.id, '-o', 'json'],
      { input: `${source.id}\n` },
    );
    assert.equal((await started.waitForExit()).code, 0);
    const text = started.lines.slice(started.lines.indexOf('{')).join('\n');
    const { state, result } = JSON.parse(text) as { state: string; result: object };
    assert.deepEqual([state, result], ['done', { copied_bytes: 0, zeroed_bytes: 0, skipped_bytes: MiB }]);
  });

  test('says what was refused, and that there is no service', async () => {
    const source = await fixture.addImage(2 * MiB, { ops: ['read'] });
    const target = await fixture.addImage(MiB);
    const small = await run(source.id, target.id);
    assert.equal(small.code, 1);
    assert.match(small.lines.at(-1) ?? '', /^ovirt-imageioctl: range end \d+ > ticket size \d+$/);
    const notDirty = await run(target.id, source.id, '--dirty');
    assert.equal(notDirty.code, 1);
    const gone = fixture.folder.file('gone');
    await writeConfiguration(gone, { control: { socket: fixture.folder.file('none.sock') } });
    const elsewhere = await Program.start(pinnedNode, [program, '-c', gone, 'copy', 'a', 'b']);
    assert.equal((await elsewhere.waitForExit()).code, 3);
  });

  describe('on storage that answers late', { skip: missing('nbdkit') }, () => {
    let workspace: Workspace;
    before(async () => {
      workspace = await Workspace.create();
    });
    after(() => workspace[Symbol.asyncDispose]());

    /** A copy whose writes wait until `go` is called. */
    const heldCopy = async (
      name: string,
      pwrite = 'cat > /dev/null',
    ): Promise<{ copying: Program; target: ImageTicket; go: () => Promise<void> }> => {
      const [mark, gate] = [workspace.path(`${name}-reached`), workspace.path(`${name}-go`)];
      const { url } = await workspace.nbdkit(
        'eval',
        `get_size=echo ${2 * MiB}`,
        'pread=head -c $3 /dev/zero',
        `pwrite=touch ${mark}; ${waitForFile(gate)}; ${pwrite}`,
        'can_write=exit 0',
        'can_flush=exit 0',
        'flush=exit 0',
      );
      const source = await fixture.addImage(randomBytes(2 * MiB), { ops: ['read'] });
      const target = await fixture.addImage(undefined, { size: 2 * MiB, url });
      const copying = await start(source.id, target.id);
      await eventually(() => stat(mark).catch(() => undefined), 'a write reaches storage');
      return { copying, target, go: () => writeFile(gate, '') };
    };

    /** Resolves when the last copy could not be cancelled within `remove_timeout`. */
    const notCancelled = async (): Promise<void> => {
      const copies = JSON.parse((await fixture.vdsm.request('GET', '/copies')).text) as { id: number }[];
      const refusal = new RegExp(`Timeout cancelling job ${copies.at(-1)?.id}\\b`);
      await eventually(
        () => (refusal.test(fixture.daemon.logText) ? true : undefined),
        'it cannot be cancelled',
      );
    };

    test('cancels the copy when it is interrupted, and ends when nothing of it is written', async () => {
      const { copying, target, go } = await heldCopy('cancel');
      process.kill(copying.pid, 'SIGINT');
      await notCancelled();
      assert.equal(copying.hasExited, false);
      assert.equal((await fixture.vdsm.getTicket(target.id)).active, true);
      await go();
      assert.deepEqual(await copying.exited, { code: 1, signal: null });
      assert.match(copying.lines.at(-1) ?? '', /^ovirt-imageioctl: the copy was cancelled: /);
      assert.equal((await fixture.vdsm.getTicket(target.id)).active, false);
    });

    test('is ended by a second interruption at once', async () => {
      const { copying, go } = await heldCopy('twice');
      process.kill(copying.pid, 'SIGINT');
      await notCancelled();
      process.kill(copying.pid, 'SIGINT');
      assert.deepEqual(await copying.exited, { code: null, signal: 'SIGINT' });
      await go();
    });

    test('fails with what the copy failed with', async () => {
      const { copying, go } = await heldCopy('full', 'echo ENOSPC no room >&2; exit 1');
      await go();
      assert.equal((await copying.exited).code, 1);
      assert.equal(
        copying.lines.at(-1),
        'ovirt-imageioctl: the copy failed: No space left on the storage of this image',
      );
    });
  });
});
