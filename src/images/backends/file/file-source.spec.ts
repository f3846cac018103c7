import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { StorageError } from '../../../base/errors.js';
import { FileSource } from './file-source.js';

describe('FileSource', () => {
  let folder: string;
  let source: FileSource;

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'imageio-source-'));
  });
  beforeEach(() => {
    const warn = (message: string) => {
      assert.fail(message);
    };
    source = new FileSource({ warn, threadCount: 4, allowedRoots: [] });
  });
  after(() => {
    fs.rmSync(folder, { recursive: true });
  });

  function open(name: string, writable = true) {
    return source.open({
      url: `file://${path.resolve(folder, name)}`,
      writable,
      sparse: false,
      dirty: false,
    });
  }

  function createFile(name: string, content: Buffer, mode = 0o600): void {
    fs.writeFileSync(path.join(folder, name), content, { mode });
  }

  it('opens a regular file that can grow, with one writer', async () => {
    createFile('file', Buffer.alloc(10_000, 7));
    const backend = await open('file');
    assert.equal(await backend.sizeBytes(), 10_000);
    assert.equal(backend.growable, true);
    assert.deepEqual([backend.readersMax, backend.writersMax, backend.canDirtyExtents], [8, 1, false]);
    await backend.close();
  });

  it('opens through a symbolic link, as images of a storage domain are reached', async () => {
    createFile('target', Buffer.alloc(100));
    fs.symlinkSync('target', path.join(folder, 'link'));
    const backend = await open('link');
    assert.equal(await backend.sizeBytes(), 100);
    await backend.close();
  });

  it('opens for reading alone when the ticket may not write', async () => {
    createFile('read-only', Buffer.alloc(100));
    const backend = await open('read-only', false);
    await assert.rejects(backend.write(Buffer.alloc(1), 0), StorageError);
    await backend.close();
  });

  it('serialises writes of two names of one file', async () => {
    createFile('name', Buffer.alloc(4096));
    fs.linkSync(path.join(folder, 'name'), path.join(folder, 'other-name'));
    const backends = [await open('name'), await open('other-name')];
    for (let round = 1; round < 20; round += 1) {
      await Promise.all(
        Array.from({ length: 64 }, (_, index) =>
          backends[index % 2]!.write(Buffer.alloc(64, round + index), index * 64),
        ),
      );
      const content = fs.readFileSync(path.join(folder, 'name'));
      assert.ok(content.every((byte, position) => byte === round + Math.floor(position / 64)));
    }
    await Promise.all(backends.map((backend) => backend.close()));
  });

  it('says that opening failed when there is no such file, with the path only in the cause', async () => {
    await assert.rejects(open('missing'), (error: unknown) => {
      assert.ok(error instanceof StorageError);
      assert.equal(error.message, 'Opening the image failed');
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'ENOENT');
      return true;
    });
  });

  for (const [kind, create] of [
    [
      'directory',
      (name: string) => {
        fs.mkdirSync(name);
      },
    ],
    ['FIFO', (name: string) => execFileSync('mkfifo', [name])],
  ] as const) {
    it(`refuses a ${kind} without opening it`, async () => {
      create(path.join(folder, kind));
      for (const writable of [true, false]) {
        await assert.rejects(open(kind, writable), /neither a regular file nor a block device/);
      }
    });
  }

  it('refuses a character device', async () => {
    await assert.rejects(open('/dev/zero'), /neither a regular file nor a block device/);
  });

  it('refuses a socket', async () => {
    const server = net.createServer().listen(path.join(folder, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    await assert.rejects(open('socket'), /neither a regular file nor a block device/);
    await new Promise((resolve) => server.close(resolve));
  });

  it('refuses a relative url before it looks for a file', async () => {
    await assert.rejects(
      source.open({ url: 'file:file', writable: false, sparse: false, dirty: false }),
      /not an absolute file url/,
    );
  });

  it('leaks no file descriptor, whether opening succeeds or not', async () => {
    createFile('counted', Buffer.alloc(100));
    const countFds = () => fs.readdirSync('/proc/self/fd').length;
    const before = countFds();
    for (let repetition = 0; repetition < 10; repetition += 1) {
      await (await open('counted')).close();
      await assert.rejects(open('missing'), StorageError);
      await assert.rejects(open('.'), StorageError);
    }
    assert.equal(countFds(), before);
  });

  it('writes a file of any size and reads it back', async () => {
    createFile('empty', Buffer.alloc(0));
    const backend = await open('empty');
    await backend.write(Buffer.from('some bytes'), 3);
    await backend.flush();
    await backend.close();
    assert.equal(fs.readFileSync(path.join(folder, 'empty'), 'latin1'), '\0\0\0some bytes');
  });
});
