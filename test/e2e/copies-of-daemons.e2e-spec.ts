import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open, stat } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { missing, runProgram, waitForFile, Workspace } from '../nbd/servers.js';
import { eventually } from '../support/deadline.js';
import { Pki } from '../support/pki.js';
import type { TicketDocument } from '../support/vdsm.js';
import { CopiesUnderTest } from './copies-under-test.js';
import { DaemonUnderTest, type ImageTicket } from './daemon-under-test.js';

const holeStart = 9 * MiB;
const holeEnd = 25 * MiB;

/** An image of data, a hole, data, and an end that is no whole block. */
async function sparseImage(daemon: DaemonUnderTest): Promise<{ content: Buffer; image: ImageTicket }> {
  const content = randomBytes(33 * MiB + 1234);
  content.fill(0, holeStart, holeEnd);
  const image = await daemon.addImage(content.length, { ops: ['read'] });
  await using file = await open(image.file, 'r+');
  await file.write(content, 0, holeStart, 0);
  await file.write(content, holeEnd, content.length - holeEnd, holeEnd);
  return { content, image };
}

describe('copies of images that other daemons have', () => {
  let owner: DaemonUnderTest;
  let fixture: DaemonUnderTest;
  let copies: CopiesUnderTest;
  before(async () => {
    owner = await DaemonUnderTest.start();
    fixture = await DaemonUnderTest.start(
      {
        backend_http: { ca_file: owner.pki.caFile },
        control: { remove_timeout: 1 },
        proxy: { imaged_connection_timeout_sec: 2 },
      },
      owner.pki,
    );
    copies = new CopiesUnderTest(fixture);
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
    await owner[Symbol.asyncDispose]();
  });

  /** A ticket here for an image that the other daemon has. */
  const ticketFor = (
    image: Pick<ImageTicket, 'path' | 'document'>,
    ticket: Partial<TicketDocument> = {},
    origin = owner.daemon.url,
  ): Promise<ImageTicket> =>
    fixture.addImage(undefined, {
      size: image.document.size,
      url: `${origin}${image.path}`,
      sparse: true,
      ...ticket,
    });

  test('write a disk to another host, zeroes as zeroes, and verify it by its digests', async () => {
    const { content, image: source } = await sparseImage(fixture);
    const image = await owner.addImage(0, { size: content.length, sparse: true });
    const target = await ticketFor(image);
    const copy = await copies.copy(source, target, { verify: true });
    assert.deepEqual([copy.done, copy.total], [2 * content.length, 2 * content.length]);
    assert.deepEqual(copy.result, {
      copied_bytes: content.length - 16 * MiB,
      zeroed_bytes: 16 * MiB,
      skipped_bytes: 0,
    });
    assert.ok((await owner.contentOf(image)).equals(content));
    assert.ok((await stat(image.file)).blocks * 512 < content.length - 15 * MiB);
    for (const ticket of [source, target])
      assert.equal((await fixture.vdsm.getTicket(ticket.id)).transferred, content.length);
    const { transferred, connections, active } = await owner.ticketState(
      image,
      (info) => info.connections === 0,
      'its connections are closed',
    );
    assert.deepEqual([transferred, connections, active], [content.length, 0, false]);
    await eventually(
      () => /"kind":"copy".*"backend":"http".*"state":"done"/.test(fixture.daemon.logText) || undefined,
      'the copy is in the log',
    );
  });

  test('read a disk of another host, which is verified as well', async () => {
    const { content, image } = await sparseImage(owner);
    const source = await ticketFor(image, { ops: ['read'] });
    const target = await fixture.addImage(randomBytes(content.length), { sparse: true });
    const { result } = await copies.copy(source, target, { verify: true });
    assert.equal(result?.zeroed_bytes, 16 * MiB);
    assert.ok((await fixture.contentOf(target)).equals(content));
  });

  test('go from one other host to another, and leave alone what is zero in both', async () => {
    const { content, image: from } = await sparseImage(owner);
    const source = await ticketFor(from, { ops: ['read'] });
    const image = await owner.addImage(content.length, { sparse: true });
    const { result } = await copies.copy(source, await ticketFor(image), { verify: true });
    assert.equal(result?.skipped_bytes, 16 * MiB);
    assert.ok((await owner.contentOf(image)).equals(content));
  });

  test('are refused with the reason that the other daemon has', async () => {
    const source = await fixture.addImage(randomBytes(2 * MiB), { ops: ['read'] });
    const gone = await owner.addImage(2 * MiB);
    const toGone = await ticketFor(gone);
    await owner.vdsm.removeTicket(gone.id);
    const toReadOnly = await ticketFor(await owner.addImage(2 * MiB, { ops: ['read'] }));
    const toAbsent = await ticketFor(await owner.addImage(undefined, { size: 2 * MiB }));
    const answers = await Promise.all(
      [toGone, toReadOnly, toAbsent].map((target) => copies.ask(source, target)),
    );
    const notAllowed = 'You are not allowed to access this resource';
    assert.deepEqual(
      answers.map(({ status, text }) => [status, text.trimEnd()]),
      [
        [403, `${notAllowed}: the host of the image refused: No such ticket`],
        [403, `${notAllowed}: the ticket at the host of the image is for reading only`],
        [500, 'The host of the image failed: Opening the image failed'],
      ],
    );
    const dirty = await ticketFor(await owner.addImage(2 * MiB, { dirty: true }), { dirty: true });
    const target = await fixture.addImage(2 * MiB);
    assert.equal((await copies.ask(dirty, target, { dirty: true })).status, 404);
    assert.ok(!fixture.daemon.logText.includes(gone.id));
  });

  test('are refused where the other daemon cannot be believed, or is not there', async () => {
    const source = await fixture.addImage(MiB, { ops: ['read'] });
    const stranger = await DaemonUnderTest.start({}, await Pki.create(fixture.folder.file('stranger')));
    try {
      const target = await ticketFor(await stranger.addImage(MiB), {}, stranger.daemon.url);
      const untrusted = await copies.ask(source, target);
      assert.deepEqual(
        [untrusted.status, untrusted.text.trimEnd()],
        [502, 'The certificate of the host of the image is not trusted'],
      );
      await stranger.daemon.program.kill();
      assert.equal((await copies.ask(source, target)).status, 502);
    } finally {
      await stranger[Symbol.asyncDispose]();
    }
  });

  test('are refused with 504 where the other host accepts no connection', async () => {
    const source = await fixture.addImage(MiB, { ops: ['read'] });
    // It accepts what is TCP of it, and says nothing.
    const silent = createServer((socket) => socket.on('error', () => undefined).resume());
    silent.listen(0, 'localhost');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const url = `https://localhost:${port}/images/x`;
    const target = await fixture.addImage(undefined, { size: MiB, url });
    assert.equal((await copies.ask(source, target)).status, 504);
    silent.close();
  });

  test('fail when the other image is too small', async () => {
    const source = await fixture.addImage(randomBytes(8 * MiB), { ops: ['read'] });
    const small = await owner.addImage(0, { size: 4 * MiB });
    const target = await ticketFor(small, { size: 8 * MiB });
    const { state, problem } = await copies.ended(await copies.begin(source, target));
    assert.deepEqual([state, problem?.status], ['failed', 416]);
    assert.match(problem?.title ?? '', /^The host of the image refused: range end \d+ > ticket size 4194304/);
  });

  describe('with NBD servers', { skip: missing('nbdkit', 'qemu-nbd', 'qemu-img', 'qemu-io') }, () => {
    let workspace: Workspace;
    before(async () => {
      workspace = await Workspace.create();
    });
    after(() => workspace[Symbol.asyncDispose]());

    /** An image of the other daemon whose writes wait until the file `go` is there. */
    const heldImage = async (name: string): Promise<{ image: ImageTicket; mark: string; go: string }> => {
      const [mark, go] = [workspace.path(`${name}-reached`), workspace.path(`${name}-go`)];
      const { url } = await workspace.nbdkit(
        'eval',
        'thread_model=echo parallel',
        `get_size=echo ${8 * MiB}`,
        'pread=head -c $3 /dev/zero',
        `pwrite=touch ${mark}; ${waitForFile(go)}; cat > /dev/null`,
        'can_write=exit 0',
        'can_flush=exit 0',
        'flush=exit 0',
      );
      return { image: await owner.addImage(undefined, { size: 8 * MiB, url }), mark, go };
    };
    const reached = (mark: string): Promise<unknown> =>
      eventually(() => stat(mark).catch(() => undefined), 'a write reaches the storage of the other daemon');

    test('copy only what is dirty in a disk of another host', async () => {
      const disk = workspace.path('disk.qcow2');
      await runProgram('qemu-img', 'create', '-q', '-f', 'qcow2', disk, `${16 * MiB}`);
      await runProgram('qemu-io', '-f', 'qcow2', '-c', 'write -q -P 1 0 8M', disk);
      const full = await workspace.qemuNbd('--read-only', '--format=qcow2', disk);
      const target = await fixture.addImage(16 * MiB, { sparse: true });
      const fullTicket = await owner.addImage(undefined, { size: 16 * MiB, url: full.url, ops: ['read'] });
      await copies.copy(await ticketFor(fullTicket, { ops: ['read'] }), target);
      await full.stop();
      await runProgram('qemu-img', 'bitmap', '--add', disk, 'since');
      await runProgram('qemu-io', '-f', 'qcow2', '-c', 'write -q -P 2 4M 64k', '-c', 'write -qz 0 64k', disk);
      const changed = await workspace.qemuNbd('--read-only', '--format=qcow2', '--bitmap=since', disk);
      const image = await owner.addImage(undefined, {
        size: 16 * MiB,
        url: changed.url,
        ops: ['read'],
        dirty: true,
      });
      const source = await ticketFor(image, { ops: ['read'], dirty: true });
      const { result } = await copies.copy(source, target, { dirty: true, verify: true });
      assert.deepEqual(result, {
        copied_bytes: 65_536,
        zeroed_bytes: 65_536,
        skipped_bytes: 16 * MiB - 131_072,
      });
      assert.match(
        await runProgram('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', target.file, disk),
        /identical/,
      );
    });

    test('are waited for while the other daemon writes, and write nothing after that', async () => {
      const source = await fixture.addImage(randomBytes(8 * MiB), { ops: ['read'] });
      const { image, mark, go } = await heldImage('cancel');
      const target = await ticketFor(image);
      const path = await copies.begin(source, target);
      await reached(mark);
      assert.equal((await fixture.vdsm.request('DELETE', path)).status, 409);
      assert.equal((await fixture.vdsm.request('DELETE', `/tickets/${target.id}`)).status, 409);
      assert.equal((await owner.vdsm.getTicket(image.id)).active, true);
      await runProgram('touch', go);
      assert.equal((await copies.ended(path)).state, 'cancelled');
      assert.equal((await fixture.vdsm.request('DELETE', path)).status, 204);
      await fixture.vdsm.removeTicket(target.id);
      await owner.ticketState(image, ({ active }) => !active, 'the other daemon is idle too');
    });

    test('fail when the ticket of the other daemon is removed', async () => {
      const source = await fixture.addImage(randomBytes(8 * MiB), { ops: ['read'] });
      const { image, mark, go } = await heldImage('removed');
      const path = await copies.begin(source, await ticketFor(image));
      await reached(mark);
      const removing = owner.vdsm.request('DELETE', `/tickets/${image.id}`);
      await owner.ticketState(image, ({ canceled }) => canceled, 'its ticket is canceled');
      await runProgram('touch', go);
      const { state, problem } = await copies.ended(path);
      assert.deepEqual([state, problem?.status], ['failed', 403]);
      assert.equal((await removing).status, 204);
    });

    test('are given up at once while they only read from the other daemon', async () => {
      const slow = await workspace.nbdkit('--filter=delay', 'memory', `${MiB}`, 'rdelay=30');
      const image = await owner.addImage(undefined, { size: MiB, url: slow.url, ops: ['read'] });
      const data = Buffer.alloc(MiB, 'x');
      const write = await owner.addImage(undefined, { size: MiB, url: slow.url });
      await owner.client().write(write.id, data, 0);
      const source = await ticketFor(image, { ops: ['read'] });
      const target = await fixture.addImage(MiB);
      const path = await copies.begin(source, target);
      await owner.ticketState(image, ({ active }) => active, 'the other daemon reads');
      assert.equal((await fixture.vdsm.request('DELETE', path)).status, 204);
      assert.equal((await copies.show(path)).state, 'cancelled');
      await owner.ticketState(image, ({ active }) => !active, 'the other daemon has given it up');
    });

    test('fail when the host of the target dies, and are told so', async () => {
      const mortal = await DaemonUnderTest.start({}, owner.pki);
      try {
        const { image: held, mark } = await heldImage('dies');
        const image = await mortal.addImage(undefined, { size: 8 * MiB, url: held.document.url });
        const target = await ticketFor(image, {}, mortal.daemon.url);
        const source = await fixture.addImage(randomBytes(8 * MiB), { ops: ['read'] });
        const path = await copies.begin(source, target);
        await reached(mark);
        await mortal.daemon.program.kill();
        const { state, problem } = await copies.ended(path);
        assert.deepEqual([state, problem?.status], ['failed', 502]);
      } finally {
        await mortal[Symbol.asyncDispose]();
      }
    });

    test('fail with 507 when the storage of the other daemon is full', async () => {
      const full = await workspace.nbdkit(
        '--filter=error',
        'memory',
        `${MiB}`,
        'error-pwrite=ENOSPC',
        'error-pwrite-rate=100%',
      );
      const target = await ticketFor(await owner.addImage(undefined, { size: MiB, url: full.url }));
      const source = await fixture.addImage(randomBytes(MiB), { ops: ['read'] });
      assert.equal((await copies.ended(await copies.begin(source, target))).problem?.status, 507);
    });
  });
});
