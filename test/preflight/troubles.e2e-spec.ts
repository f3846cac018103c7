import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { KiB, MiB } from '../../src/base/units.js';
import { needsFullStorage } from '../contract/full-storage.js';
import { mount, run, unmount } from '../file/block-devices.js';
import { missing, Workspace } from '../nbd/servers.js';
import { ScriptedServer } from '../nbd/scripted-server.js';
import { allWireRoutes, describeWire } from '../e2e/wire-under-test.js';
import { eventually } from '../support/deadline.js';
import { freePort } from '../support/free-port.js';
import { errorsOf, found, preflightOf } from './answers.js';

const noNbdkit = missing('nbdkit');

describeWire('a preflight', { routes: allWireRoutes }, (wire) => {
  let workspace: Workspace;
  before(async () => {
    workspace = await Workspace.create();
  });
  after(() => workspace[Symbol.asyncDispose]());

  /** An export of zeroes in memory. */
  async function exported(...parameters: readonly string[]): Promise<string> {
    return (await workspace.nbdkit('memory', '1M', ...parameters)).url;
  }

  async function errorsAt(url: string, size = MiB): Promise<readonly string[]> {
    const image = await wire.addImage(undefined, { url, size });
    return errorsOf(await preflightOf(wire, image, '?op=write'));
  }

  test('finds nothing wrong with a file that is as the ticket says', async () => {
    const image = await wire.addImage(MiB);
    const preflight = await preflightOf(wire, image, `?op=write&size=${MiB}&format=raw`);
    assert.equal(preflight.ok, true);
    assert.deepEqual(errorsOf(preflight), []);
    assert.equal(preflight.image?.size, MiB);
    assert.equal(preflight.image.reads_as_zero, true);
    assert.ok((preflight.image.free_bytes ?? 0) > 0);
    assert.deepEqual(preflight.ticket, { size: MiB, expires_in: 299, inactivity_timeout: 60 });
  });

  test('names a file that is missing', async () => {
    const { path, file, id, document } = await wire.addImage(undefined, { size: MiB });
    const answer = await wire.client().request('GET', `${path}/preflight`);
    assert.equal(answer.status, 200);
    assert.match(answer.text, /"ok":false.*"code":"image_missing","severity":"error"/);
    for (const secret of [file, id, document.url, 'nbd', '.raw']) assert.ok(!answer.text.includes(secret));
  });

  test('names a read-only file system', { skip: needsFullStorage() }, async () => {
    const folder = wire.daemon.folder.file(`read-only ${wire.route}`);
    mount('tmpfs', 'none', folder);
    try {
      await writeFile(`${folder}/image`, 'x');
      run('mount', '-o', 'remount,ro', folder);
      assert.deepEqual(await errorsAt(`file://${folder}/image`), ['read_only']);
    } finally {
      unmount(folder);
    }
  });

  test('names a ticket that is larger than an image which does not grow', { skip: noNbdkit }, async () => {
    assert.deepEqual(await errorsAt(await exported(), 2 * MiB), ['size_exceeds_image']);
  });

  test('names a size that is more than the ticket allows, and one that is less than the image', async () => {
    const image = await wire.addImage(MiB);
    const larger = await preflightOf(wire, image, `?op=write&size=${2 * MiB}`);
    assert.deepEqual(errorsOf(larger), ['size_exceeds_ticket']);
    const smaller = await preflightOf(wire, image, `?op=write&size=${KiB}`);
    assert.ok(found(smaller).includes('warning image_exceeds_size'));
  });

  test('names storage without room', { skip: needsFullStorage() }, async () => {
    const folder = wire.daemon.folder.file(`full ${wire.route}`);
    mount('tmpfs', 'none', folder, '-o', 'size=2m');
    try {
      await writeFile(`${folder}/image`, 'x');
      assert.deepEqual(await errorsAt(`file://${folder}/image`, 16 * MiB), ['no_space']);
      const url = `file://${folder}/image`;
      const sparse = await wire.addImage(undefined, { url, size: 16 * MiB, sparse: true });
      assert.ok(found(await preflightOf(wire, sparse)).includes('warning no_space'));
    } finally {
      unmount(folder);
    }
  });

  test('names an export that the server does not have', { skip: missing('qemu-nbd') }, async () => {
    const image = await wire.addImage(MiB);
    const { url } = await workspace.qemuNbd('--export-name=one', '--format=raw', image.file);
    assert.deepEqual(await errorsAt(`${url}:exportname=other`), ['export_missing']);
  });

  test('names a closed port', async () => {
    assert.deepEqual(await errorsAt(`nbd://127.0.0.1:${await freePort()}/`), ['storage_refused']);
  });

  test('names a missing socket', async () => {
    assert.deepEqual(await errorsAt(`nbd:unix:${workspace.path('none')}`), ['storage_missing']);
  });

  test('names a read-only export', { skip: noNbdkit }, async () => {
    assert.deepEqual(await errorsAt(await exported('--filter=readahead', '-r')), ['read_only']);
  });

  test('names a server that says nothing, and leaves no connection to it', async () => {
    await using server = await ScriptedServer.listen(workspace.path('silent'), {
      sizeBytes: MiB,
      reply: () => undefined,
      send: () => undefined,
    });
    assert.deepEqual(await errorsAt(server.url), ['storage_silent']);
    await eventually(() => server.connections === 0 || undefined, 'the connection is closed');
  });

  test('names a ticket that ends soon, and does not prolong it', async () => {
    const image = await wire.addImage(MiB, { timeout: 50, inactivity_timeout: 5 });
    const { expires } = await wire.vdsm.getTicket(image.id);
    const preflight = await preflightOf(wire, image);
    assert.deepEqual(found(preflight).slice(0, 2), [
      'warning ticket_ends_soon',
      'warning inactivity_timeout_short',
    ]);
    assert.equal((await wire.vdsm.getTicket(image.id)).expires, expires);
  });

  test('names an image whose last block is short', { skip: noNbdkit }, async () => {
    const { url } = await workspace.nbdkit(
      '--filter=blocksize-policy',
      'memory',
      String(MiB + 512),
      'blocksize-minimum=4096',
      'blocksize-error-policy=error',
    );
    const image = await wire.addImage(undefined, { url, size: MiB + 512 });
    const preflight = await preflightOf(wire, image);
    assert.ok(found(preflight).includes('warning last_block_short'));
    assert.equal(preflight.image?.block_size, 4096);
  });

  test('says that nothing is converted', { skip: noNbdkit }, async () => {
    const image = await wire.addImage(undefined, { url: await exported(), size: MiB });
    const preflight = await preflightOf(wire, image, '?op=write&format=qcow2');
    assert.ok(found(preflight).includes('warning format_not_converted'));
    assert.ok(found(preflight).includes('info free_space_unknown'));
    assert.ok(found(preflight).includes('info reads_as_zero'));
  });

  test('of a cancelled ticket, or to write with one that only reads, is 403 with the reason', async () => {
    const image = await wire.addImage(MiB, { ops: ['read'] });
    const path = `${image.path}/preflight`;
    const refused = await wire.client().request('GET', `${path}?op=write`);
    assert.equal(refused.status, 403);
    assert.match(refused.text, /Ticket does not allow write/);
    assert.equal((await wire.client().request('GET', path)).status, 200);
    await wire.vdsm.removeTicket(image.id);
    assert.equal((await wire.client().request('GET', path)).status, 403);
  });

  test('changes nothing and keeps nothing open', async () => {
    const image = await wire.addImage(Buffer.from('content'), { size: MiB });
    const preflight = await preflightOf(wire, image);
    assert.ok(found(preflight).includes('info image_grows'));
    assert.ok(found(preflight).includes('info holds_data'));
    assert.equal((await wire.daemon.contentOf(image)).toString(), 'content');
    assert.equal(await wire.openFiles(image.file), 0);
  });

  for (const query of ['op=both', 'size=-1', 'size=9007199254740992', 'format=', 'op=read&op=write']) {
    test(`with ${query} is 400`, async () => {
      const { path } = await wire.addImage(MiB);
      assert.equal((await wire.client().request('GET', `${path}/preflight?${query}`)).status, 400);
    });
  }
});
