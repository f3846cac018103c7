import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { missing, Workspace } from '../nbd/servers.js';
import { eventually } from '../support/deadline.js';
import type { Answer } from '../support/exchange.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';

interface Copy {
  readonly id: number;
  readonly state: string;
  readonly done: number;
  readonly total: number;
  readonly result?: Readonly<Record<'copied_bytes' | 'zeroed_bytes' | 'skipped_bytes', number>>;
  readonly problem?: { readonly status: number };
}

/** Data with a hole of zeroes in the middle, of no whole number of blocks. */
function sparseContent(): Buffer {
  const content = randomBytes(9 * MiB + 1234);
  content.fill(0, 2 * MiB, 6 * MiB);
  return content;
}

/** An NBD server whose writes take seconds, and what resolves once one has reached it since it was asked. */
async function slowWrites(
  workspace: Workspace,
  sizeBytes: number,
): Promise<{ url: string; reached: () => Promise<void> }> {
  const mark = workspace.path('reached');
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
  const reached = async (): Promise<void> => {
    await eventually(() => stat(mark).catch(() => undefined), 'a write reaches the server');
    await rm(mark);
  };
  return { url, reached };
}

describe('copies between tickets', () => {
  let fixture: DaemonUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start({ control: { remove_timeout: 1 } });
  });
  after(() => fixture[Symbol.asyncDispose]());

  const ask = (source: ImageTicket, target: ImageTicket, options: object = {}): Promise<Answer> => {
    const body = JSON.stringify({ source: source.id, target: target.id, ...options });
    return fixture.vdsm.request('POST', '/copies', body);
  };
  const begin = async (source: ImageTicket, target: ImageTicket, options: object = {}): Promise<string> => {
    const answer = await ask(source, target, options);
    assert.equal(answer.status, 202, answer.text);
    return answer.headers.location ?? '';
  };
  const show = async (path: string): Promise<Copy> =>
    JSON.parse((await fixture.vdsm.request('GET', path)).text) as Copy;
  const ended = (path: string): Promise<Copy> =>
    eventually(async () => {
      const copy = await show(path);
      return copy.state === 'running' ? undefined : copy;
    }, `the end of ${path}`);

  test('copy data and zeroes, verify them, and count for both tickets', async () => {
    const content = sparseContent();
    const source = await fixture.addImage(content, { ops: ['read'] });
    const target = await fixture.addImage(randomBytes(content.length), { sparse: true });
    const copy = await ended(await begin(source, target, { verify: true }));
    assert.equal(copy.state, 'done', JSON.stringify(copy));
    assert.deepEqual([copy.done, copy.total], [2 * content.length, 2 * content.length]);
    assert.ok((await fixture.contentOf(target)).equals(content));
    for (const ticket of [source, target])
      assert.equal((await fixture.vdsm.getTicket(ticket.id)).transferred, content.length);
  });

  test('leave alone what is zero in both, and make an empty target as large as the source', async () => {
    const source = await fixture.addImage(64 * MiB);
    const hole = await fixture.addImage(64 * MiB, { sparse: true });
    const skipped = await ended(await begin(source, hole));
    assert.deepEqual(skipped.result, { copied_bytes: 0, zeroed_bytes: 0, skipped_bytes: 64 * MiB });
    assert.equal((await stat(hole.file)).blocks, 0);
    const empty = await fixture.addImage(0, { size: 64 * MiB, sparse: true });
    assert.equal((await ended(await begin(source, empty))).state, 'done');
    assert.equal((await stat(empty.file)).size, 64 * MiB);
  });

  test('are refused before anything happens', async () => {
    const source = await fixture.addImage(2 * MiB, { ops: ['read'] });
    const target = await fixture.addImage(2 * MiB);
    const small = await fixture.addImage(MiB);
    const absent = await fixture.addImage(undefined, { size: MiB });
    const same = await fixture.addImage(2 * MiB, { url: source.document.url });
    const statuses = await Promise.all([
      ask(source, small),
      ask(target, source),
      ask(source, same),
      ask(absent, target),
      ask({ ...source, id: 'none' }, target),
      ask(source, target, { dirty: true }),
      ask(source, target, { verify: 'yes' }),
    ]);
    assert.deepEqual(
      statuses.map(({ status }) => status),
      [416, 403, 400, 500, 404, 404, 400],
    );
    assert.equal((await fixture.vdsm.getTicket(target.id)).active, false);
  });

  describe('with NBD servers', { skip: missing('nbdkit', 'qemu-nbd', 'qemu-img') }, () => {
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
      assert.equal((await ended(await begin(source, middle, { verify: true }))).state, 'done');
      assert.equal((await ended(await begin(middle, target, { verify: true }))).state, 'done');
      assert.ok((await fixture.contentOf(target)).equals(content));
    });

    test('fail with what the storage fails with, and can be begun again', async () => {
      const source = await fixture.addImage(randomBytes(2 * MiB));
      const full = await nbdImage(2 * MiB, 'error-pwrite=ENOSPC', 'error-pwrite-rate=100%');
      const { state, problem } = await ended(await begin(source, full));
      assert.deepEqual([state, problem?.status], ['failed', 507]);
      const broken = await nbdImage(2 * MiB, 'error-pread=EIO', 'error-pread-rate=100%');
      await fixture.client().write(broken.id, Buffer.alloc(MiB, 'x'), 0);
      const target = await fixture.addImage(2 * MiB);
      assert.equal((await ended(await begin(broken, target))).problem?.status, 500);
      assert.equal((await ended(await begin(source, target))).state, 'done');
    });

    test('stop with either ticket, and are waited for while storage writes', async () => {
      const source = await fixture.addImage(randomBytes(2 * MiB));
      const { url, reached } = await slowWrites(workspace, 2 * MiB);
      const slow = await fixture.addImage(undefined, { size: 2 * MiB, url });
      const path = await begin(source, slow);
      await reached();
      assert.equal((await fixture.vdsm.request('DELETE', path)).status, 409);
      assert.equal((await ended(path)).state, 'cancelled');
      assert.equal((await fixture.vdsm.request('DELETE', path)).status, 204);
      const again = await begin(source, slow);
      await reached();
      assert.equal((await fixture.vdsm.getTicket(source.id)).active, true);
      assert.equal((await fixture.vdsm.request('DELETE', `/tickets/${source.id}`)).status, 409);
      const { state, problem } = await ended(again);
      assert.deepEqual([state, problem?.status], ['cancelled', 403]);
      await fixture.vdsm.removeTicket(source.id);
      assert.equal((await fixture.vdsm.getTicket(slow.id)).active, false);
    });
  });

  test('are listed', async () => {
    const answer = await fixture.vdsm.request('GET', '/copies');
    const copies = JSON.parse(answer.text) as Copy[];
    assert.ok(copies.length > 0);
    assert.equal((await fixture.vdsm.request('GET', `/copies/${copies[0]!.id}`)).status, 200);
    assert.equal((await fixture.vdsm.request('GET', '/copies/none')).status, 404);
  });
});
