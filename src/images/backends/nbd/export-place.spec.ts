import assert from 'node:assert/strict';
import { link, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exportPlace } from './export-place.js';
import { parseNbdUrl } from './nbd-url.js';

describe('the place of an export', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'export-place-'));
  });
  after(() => rm(folder, { recursive: true }));

  const place = (url: string, peer?: string): Promise<string> => exportPlace(parseNbdUrl(url), peer);

  test('is one by every form of url and every path of the socket', async () => {
    // What is looked at is the name in the file system, of whatever file.
    const socket = join(folder, 'socket');
    await writeFile(socket, '');
    await symlink(socket, join(folder, 'symlink'));
    await link(socket, join(folder, 'link'));
    const expected = await place(`nbd:unix:${socket}:exportname=a`);
    for (const other of [
      `nbd+unix:///a?socket=${socket}`,
      `nbd:unix:${folder}//socket:exportname=a`,
      `nbd:unix:${folder}/symlink:exportname=a`,
      `nbd:unix:${folder}/link:exportname=a`,
    ])
      assert.equal(await place(other), expected, other);
    await writeFile(join(folder, 'other'), '');
    assert.notEqual(await place(`nbd:unix:${folder}/other:exportname=a`), expected);
    assert.notEqual(await place(`nbd:unix:${socket}:exportname=b`), expected);
  });

  test('is one by every name of the host', async () => {
    const expected = await place('nbd:localhost:10809:exportname=a', '127.0.0.1 10809');
    assert.equal(await place('nbd://127.0.0.1/a', '127.0.0.1 10809'), expected);
    assert.notEqual(await place('nbd://127.0.0.1/a', '127.0.0.1 10810'), expected);
  });

  test('is the path when the socket has gone', async () => {
    const gone = `nbd:unix:${folder}/gone:exportname=a`;
    assert.equal(await place(gone), await place(gone));
    assert.notEqual(await place(gone), await place(`nbd:unix:${folder}/gone:exportname=b`));
  });
});
