import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { link, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { missing, runProgram, waitForFile, Workspace } from '../nbd/servers.js';
import { eventually } from '../support/deadline.js';
import { CopiesUnderTest, type Copy } from './copies-under-test.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';

/** Data with a hole of zeroes in the middle, of no whole number of blocks. */
function sparseContent(): Buffer {
  const content = randomBytes(9 * MiB + 1234);
  content.fill(0, 2 * MiB, 6 * MiB);
  return content;
}

/** An NBD server whose writes take seconds, and what resolves once one of what was begun has reached it. */
async function slowWrites(
  workspace: Workspace,
  sizeBytes: number,
): Promise<{ url: string; reachedBy: (begin: () => Promise<string>) => Promise<string> }> {
  const mark = workspace.path(`reached-${randomUUID()}`);
  const { url } = await workspace.nbdkit(
    'eval',
    'thread_model=echo parallel',
    `get_size=echo ${sizeBytes}`,
    'pread=head -c $3 /dev/zero',
    `pwrite=touch ${mark}; sleep 3; cat > /dev/null`,
    'can_write=exit 0',
    'can_flush=exit 0',
    'flush=exit 0',
  );
  const reachedBy = async (begin: () => Promise<string>): Promise<string> => {
    await rm(mark, { force: true });
    const path = await begin();
    await eventually(() => stat(mark).catch(() => undefined), 'a write reaches the server');
    return path;
  };
  return { url, reachedBy };
}

describe('copies between tickets', () => {
  let fixture: DaemonUnderTest;
  let copies: CopiesUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start({ control: { remove_timeout: 1 } });
    copies = new CopiesUnderTest(fixture);
  });
  after(() => fixture[Symbol.asyncDispose]());

  test('copy data and zeroes, verify them, and count for both tickets', async () => {
    const content = sparseContent();
    const source = await fixture.addImage(content, { ops: ['read'] });
    const target = await fixture.addImage(randomBytes(content.length), { sparse: true });
    const copy = await copies.ended(await copies.begin(source, target, { verify: true }));
    assert.equal(copy.state, 'done', JSON.stringify(copy));
    assert.deepEqual([copy.done, copy.total], [2 * content.length, 2 * content.length]);
    assert.ok((await fixture.contentOf(target)).equals(content));
    for (const ticket of [source, target])
      assert.equal((await fixture.vdsm.getTicket(ticket.id)).transferred, content.length);
  });

  test('leave alone what is zero in both, and make an empty target as large as the source', async () => {
    const source = await fixture.addImage(64 * MiB);
    const hole = await fixture.addImage(64 * MiB, { sparse: true });
    const skipped = await copies.ended(await copies.begin(source, hole));
    assert.deepEqual(skipped.result, { copied_bytes: 0, zeroed_bytes: 0, skipped_bytes: 64 * MiB });
    assert.equal((await stat(hole.file)).blocks, 0);
    const empty = await fixture.addImage(0, { size: 64 * MiB, sparse: true });
    assert.equal((await copies.ended(await copies.begin(source, empty))).state, 'done');
    assert.equal((await stat(empty.file)).size, 64 * MiB);
  });

  test('are refused before anything happens', async () => {
    const source = await fixture.addImage(2 * MiB, { ops: ['read'] });
    const target = await fixture.addImage(2 * MiB);
    const small = await fixture.addImage(MiB);
    const absent = await fixture.addImage(undefined, { size: MiB });
    const same = await fixture.addImage(2 * MiB, { url: source.document.url });
    const statuses = await Promise.all([
      copies.ask(source, small),
      copies.ask(target, source),
      copies.ask(source, same),
      copies.ask(absent, target),
      copies.ask({ ...source, id: 'none' }, target),
      copies.ask(source, target, { dirty: true }),
      copies.ask(source, target, { verify: 'yes' }),
    ]);
    assert.deepEqual(
      statuses.map(({ status }) => status),
      [416, 403, 400, 500, 404, 404, 400],
    );
    assert.equal((await fixture.vdsm.getTicket(target.id)).active, false);
  });

  test('find one image by whatever name it has', async () => {
    const image = await fixture.addImage(2 * MiB);
    const [symbolic, hard] = [fixture.folder.file('symbolic'), fixture.folder.file('hard')];
    await symlink(image.file, symbolic);
    await link(image.file, hard);
    const slashes = image.file.replaceAll('/', '//');
    for (const file of [image.file, symbolic, hard, slashes, image.file.replace('.raw', '%2eraw')]) {
      const same = await fixture.addImage(undefined, { size: 2 * MiB, url: `file://${file}` });
      const { status, text } = await copies.ask(image, same);
      assert.deepEqual([status, text.trimEnd()], [400, 'Source and target are one image'], file);
    }
    assert.equal((await copies.ask(image, image)).status, 400);
  });

  test('are as many as there may be, those that ended make room', async () => {
    const few = await DaemonUnderTest.start({ limits: { copies: 2 } });
    try {
      const ended = new CopiesUnderTest(few);
      const [source, target] = [await few.addImage(MiB), await few.addImage(MiB)];
      for (const id of [1, 2, 3]) assert.equal((await ended.copy(source, target)).id, id);
      const listed = JSON.parse((await few.vdsm.request('GET', '/copies')).text) as Copy[];
      assert.deepEqual(
        listed.map(({ id }) => id),
        [2, 3],
      );
    } finally {
      await few[Symbol.asyncDispose]();
    }
  });

  describe('with NBD servers', { skip: missing('nbdkit', 'qemu-nbd', 'qemu-img', 'qemu-io') }, () => {
    let workspace: Workspace;
    before(async () => {
      workspace = await Workspace.create();
    });
    after(() => workspace[Symbol.asyncDispose]());
    const nbdImage = async (sizeBytes: number, ...parameters: string[]): Promise<ImageTicket> => {
      const { url } = await workspace.nbdkit(
        '--filter=delay',
        '--filter=error',
        'memory',
        `${sizeBytes}`,
        ...parameters,
      );
      return fixture.addImage(undefined, { size: sizeBytes, url, sparse: true });
    };

    test('go from a file to NBD and back', async () => {
      const content = sparseContent().subarray(0, 9 * MiB);
      const source = await fixture.addImage(content);
      const middle = await nbdImage(content.length);
      const target = await fixture.addImage(content.length, { sparse: true });
      assert.equal((await copies.ended(await copies.begin(source, middle, { verify: true }))).state, 'done');
      assert.equal((await copies.ended(await copies.begin(middle, target, { verify: true }))).state, 'done');
      assert.ok((await fixture.contentOf(target)).equals(content));
    });

    test('find one export by whatever name it has', async () => {
      const server = await workspace.nbdkit('memory', `${MiB}`);
      await symlink(server.socketPath, workspace.path('alias.sock'));
      const source = await fixture.addImage(undefined, { size: MiB, url: server.url });
      for (const url of [
        `nbd+unix:///?socket=${server.socketPath}`,
        `nbd:unix:${workspace.path('alias.sock')}`,
        `nbd:unix:${server.socketPath.replaceAll('/', '//')}`,
      ]) {
        const same = await fixture.addImage(undefined, { size: MiB, url });
        assert.equal((await copies.ask(source, same)).status, 400, url);
      }
      const other = await workspace.nbdkit('memory', `${MiB}`);
      await copies.copy(source, await fixture.addImage(undefined, { size: MiB, url: other.url }));
    });

    test('copy only what is dirty, which a backup becomes the new one by', async () => {
      const disk = workspace.path('disk.qcow2');
      await runProgram('qemu-img', 'create', '-q', '-f', 'qcow2', disk, `${16 * MiB}`);
      await runProgram('qemu-io', '-f', 'qcow2', '-c', 'write -q -P 1 0 8M', disk);
      const target = await fixture.addImage(16 * MiB, { sparse: true });
      const full = await workspace.qemuNbd('--read-only', '--format=qcow2', disk);
      const whole = { size: 16 * MiB, url: full.url, ops: ['read'] } as const;
      await copies.copy(await fixture.addImage(undefined, whole), target);
      await full.stop();
      await runProgram('qemu-img', 'bitmap', '--add', disk, 'since');
      await runProgram('qemu-io', '-f', 'qcow2', '-c', 'write -q -P 2 4M 64k', '-c', 'write -qz 0 64k', disk);
      const { url } = await workspace.qemuNbd('--read-only', '--format=qcow2', '--bitmap=since', disk);
      const source = await fixture.addImage(undefined, { size: 16 * MiB, url, ops: ['read'], dirty: true });
      const { result } = await copies.copy(source, target, { dirty: true, verify: true });
      assert.deepEqual(result, {
        copied_bytes: 65_536,
        zeroed_bytes: 65_536,
        skipped_bytes: 16 * MiB - 131_072,
      });
      const compared = await runProgram('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', target.file, disk);
      assert.match(compared, /identical/);
    });

    test('fail when the target has not what was written, in the block where it differs', async () => {
      const liar = await workspace.nbdkit(
        'eval',
        'get_size=echo 8388608',
        'pread=head -c $3 /dev/zero',
        'pwrite=cat > /dev/null',
        'can_write=exit 0',
        'can_flush=exit 0',
        'flush=exit 0',
      );
      const target = await fixture.addImage(undefined, { size: 8 * MiB, url: liar.url });
      const content = Buffer.alloc(8 * MiB);
      content[6 * MiB] = 1;
      const source = await fixture.addImage(content, { ops: ['read'] });
      await copies.copy(source, target);
      const { state, problem } = await copies.ended(await copies.begin(source, target, { verify: true }));
      assert.deepEqual(
        [state, problem?.status, problem?.title],
        ['failed', 409, `The target differs from the source in the block at ${4 * MiB}`],
      );
    });

    test('fail when the server of the target may have lost what it had taken', async () => {
      const [reached, go] = [workspace.path('first-write'), workspace.path('go-on')];
      const source = await workspace.nbdkit(
        'eval',
        'thread_model=echo parallel',
        `get_size=echo ${16 * MiB}`,
        `pread=[ $4 -lt ${8 * MiB} ] || { ${waitForFile(go)}; }; head -c $3 /dev/zero`,
      );
      const target = await workspace.nbdkit(
        'eval',
        `get_size=echo ${16 * MiB}`,
        'pread=head -c $3 /dev/zero',
        `pwrite=cat > /dev/null; touch ${reached}`,
        'can_write=exit 0',
        'can_flush=exit 0',
        'flush=exit 0',
      );
      const from = await fixture.addImage(undefined, { size: 16 * MiB, url: source.url, ops: ['read'] });
      const to = await fixture.addImage(undefined, { size: 16 * MiB, url: target.url });
      const path = await copies.begin(from, to);
      await eventually(
        async () => ((await fixture.vdsm.getTicket(to.id)).transferred === 8 * MiB ? true : undefined),
        'the first half is written',
      );
      await target.stop();
      await target.start();
      await writeFile(go, '');
      const { state, problem } = await copies.ended(path);
      assert.deepEqual([state, problem?.status], ['failed', 500]);
      assert.match(problem?.title ?? '', /may have lost what was not flushed/);
    });

    test('are refused while as many run as may', async () => {
      const few = await DaemonUnderTest.start({ limits: { copies: 2, retry_after_sec: 7 } });
      try {
        const running = new CopiesUnderTest(few);
        const { url } = await slowWrites(workspace, 2 * MiB);
        const source = await few.addImage(randomBytes(2 * MiB));
        const slow = await few.addImage(undefined, { size: 2 * MiB, url });
        const paths = [await running.begin(source, slow), await running.begin(source, slow)];
        const target = await few.addImage(2 * MiB);
        const refused = await running.ask(source, target);
        assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '7'], refused.text);
        assert.equal((await few.vdsm.getTicket(target.id)).active, false);
        const [first = ''] = paths;
        await eventually(
          async () => ((await few.vdsm.request('DELETE', first)).status === 204 ? true : undefined),
          'a copy is cancelled',
        );
        await running.copy(source, target);
      } finally {
        await few[Symbol.asyncDispose]();
      }
    });

    test('end when the ticket of either expires while storage is silent', async () => {
      const ends = async (sourceSeconds: number, targetSeconds: number): Promise<void> => {
        const { url } = await slowWrites(workspace, 2 * MiB);
        const source = await fixture.addImage(randomBytes(2 * MiB), { timeout: sourceSeconds });
        const target = await fixture.addImage(undefined, { size: 2 * MiB, url, timeout: targetSeconds });
        const { state, problem } = await copies.ended(await copies.begin(source, target));
        assert.deepEqual([state, problem?.status], ['cancelled', 403]);
        assert.match(problem?.title ?? '', /expired/);
      };
      await Promise.all([ends(1, 300), ends(300, 1)]);
    });

    test('fail with what the storage fails with, and can be begun again', async () => {
      const source = await fixture.addImage(randomBytes(2 * MiB));
      const full = await nbdImage(2 * MiB, 'error-pwrite=ENOSPC', 'error-pwrite-rate=100%');
      const { state, problem } = await copies.ended(await copies.begin(source, full));
      assert.deepEqual([state, problem?.status], ['failed', 507]);
      const broken = await nbdImage(2 * MiB, 'error-pread=EIO', 'error-pread-rate=100%');
      await fixture.client().write(broken.id, Buffer.alloc(MiB, 'x'), 0);
      const target = await fixture.addImage(2 * MiB);
      assert.equal((await copies.ended(await copies.begin(broken, target))).problem?.status, 500);
      assert.equal((await copies.ended(await copies.begin(source, target))).state, 'done');
    });

    test('stop with either ticket, and are waited for while storage writes', async () => {
      const source = await fixture.addImage(randomBytes(2 * MiB));
      const { url, reachedBy } = await slowWrites(workspace, 2 * MiB);
      const slow = await fixture.addImage(undefined, { size: 2 * MiB, url });
      const path = await reachedBy(() => copies.begin(source, slow));
      assert.equal((await fixture.vdsm.request('DELETE', path)).status, 409);
      assert.equal((await copies.ended(path)).state, 'cancelled');
      assert.equal((await fixture.vdsm.request('DELETE', path)).status, 204);
      const again = await reachedBy(() => copies.begin(source, slow));
      assert.equal((await fixture.vdsm.getTicket(source.id)).active, true);
      assert.equal((await fixture.vdsm.request('DELETE', `/tickets/${source.id}`)).status, 409);
      const { state, problem } = await copies.ended(again);
      assert.deepEqual([state, problem?.status], ['cancelled', 403]);
      await fixture.vdsm.removeTicket(source.id);
      assert.equal((await fixture.vdsm.getTicket(slow.id)).active, false);
    });
  });

  test('are listed', async () => {
    const answer = await fixture.vdsm.request('GET', '/copies');
    const listed = JSON.parse(answer.text) as Copy[];
    assert.ok(listed.length > 0);
    assert.equal((await fixture.vdsm.request('GET', `/copies/${listed[0]!.id}`)).status, 200);
    assert.equal((await fixture.vdsm.request('GET', '/copies/none')).status, 404);
  });
});
