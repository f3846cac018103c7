import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

import { NotAllowedError } from '../../../base/errors.js';
import { findImage } from './image-place.js';

/** Real paths, since roots are compared with those. */
let folder: string;
let image: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'imageio-place-'));
  image = inFolder('images/disk');
  fs.mkdirSync(inFolder('images'));
  fs.writeFileSync(image, 'disk');
});
afterEach(() => {
  fs.rmSync(folder, { recursive: true });
});

function inFolder(name: string): string {
  return path.join(folder, name);
}

/** @returns the path of a new link in the folder */
function link(name: string, target: string | Buffer): string {
  fs.symlinkSync(target, inFolder(name));
  return inFolder(name);
}

async function contentAt(name: string, roots: readonly string[] = []): Promise<string> {
  const place = await findImage(name, roots);
  try {
    return fs.readFileSync(place.path, 'utf8');
  } finally {
    await place.release();
  }
}

async function assertRefused(name: string, why: RegExp, roots: readonly string[] = []): Promise<void> {
  await assert.rejects(contentAt(name, roots), (error: unknown) => {
    assert.ok(error instanceof NotAllowedError, String(error));
    assert.ok(!error.message.includes('/'), 'the client is told no path');
    assert.ok(error.cause instanceof Error);
    assert.ok(error.cause.message.startsWith(`${name} leads to `), error.cause.message);
    assert.match(error.cause.message, why);
    return true;
  });
}

function countDescriptors(): number {
  return fs.readdirSync('/proc/self/fd').length;
}

describe('a place for images', () => {
  it('is found through links, as the kernel follows them', async () => {
    link('absolute', image);
    link('relative', 'images/disk');
    link('folder', 'images');
    link('chain', 'folder/../relative');
    for (const name of ['images/disk', 'absolute', 'relative', 'folder/disk', 'chain', './/images///disk']) {
      assert.equal(await contentAt(`${folder}/${name}`), 'disk', name);
    }
  });

  it('is found by names that are no UTF-8', async () => {
    const name = Buffer.from('caf\xe9', 'latin1');
    fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), 'old name');
    assert.equal(await contentAt(link('link', name)), 'old name');
    fs.writeFileSync(inFolder('café'), 'new name');
    assert.equal(await contentAt(inFolder('café')), 'new name');
  });

  it('is not opened while it is held', async () => {
    const place = await findImage(image, []);
    // Of a descriptor that only holds a file, nothing can be read.
    assert.throws(() => fs.readSync(Number(path.basename(place.path)), Buffer.alloc(1)), { code: 'EBADF' });
    await place.release();
  });

  it('stays what it was when its name means something else by then', async () => {
    const place = await findImage(image, []);
    fs.renameSync(image, inFolder('renamed'));
    fs.writeFileSync(image, 'other');
    assert.equal(fs.readFileSync(place.path, 'utf8'), 'disk');
    await place.release();
  });

  for (const [what, name, code] of [
    ['a missing file', 'images/missing', 'ENOENT'],
    ['a missing folder', 'missing/disk', 'ENOENT'],
    ['a file in place of a folder', 'images/disk/part', 'ENOTDIR'],
    ['a file with a slash behind it', 'images/disk/', 'ENOTDIR'],
    ['a link that leads nowhere', 'nowhere', 'ENOENT'],
    ['a link that leads to itself', 'loop', 'ELOOP'],
    ['a name that is too long', 'x'.repeat(300), 'ENAMETOOLONG'],
  ] as const) {
    it(`is not ${what}`, async () => {
      link('nowhere', 'missing');
      link('loop', 'loop');
      await assert.rejects(contentAt(`${folder}/${name}`), { code });
    });
  }

  it(
    'is not found through a link of somebody else in a folder for everybody',
    { skip: process.geteuid?.() === 0 ? false : 'only root makes links that belong to others' },
    async () => {
      fs.mkdirSync(inFolder('shared'));
      fs.chmodSync(inFolder('shared'), 0o1777);
      const name = link('shared/link', image);
      assert.equal(await contentAt(name), 'disk');
      fs.lchownSync(name, 65_534, 65_534);
      await assert.rejects(contentAt(name), { code: 'EACCES' });
      fs.chownSync(inFolder('shared'), 65_534, 65_534);
      assert.equal(await contentAt(name), 'disk');
      fs.chownSync(inFolder('shared'), 0, 0);
      fs.chmodSync(inFolder('shared'), 0o755);
      assert.equal(await contentAt(name), 'disk');
    },
  );

  it('leaves no descriptor open, found or not', async () => {
    link('link', 'images/disk');
    link('process', '/proc/self');
    const before = countDescriptors();
    for (const name of ['link', 'missing', 'images/disk/', 'process/maps', 'images']) {
      await contentAt(inFolder(name)).catch(() => '');
      await contentAt(inFolder(name), ['/elsewhere']).catch(() => '');
    }
    assert.equal(countDescriptors(), before);
  });
});

describe('a kernel file system is no place for images', () => {
  for (const name of ['/proc/self/mem', '/proc/version', '/proc/1/root/etc/passwd', '/sys/kernel/notes']) {
    it(`not by the name ${name}`, async () => {
      await assertRefused(name, /kernel file system (proc|sysfs)$/);
    });
  }

  it('nor are files that this process has open, by whatever name', async () => {
    const fd = fs.openSync(image, 'r');
    const names = [`/proc/self/fd/${fd}`, `/proc/${process.pid}/fd/${fd}`, `/dev/fd/${fd}`];
    for (const [index, name] of names.entries()) {
      // Otherwise it is the image, in an ordinary file system, that the name leads to.
      assert.equal(fs.readFileSync(name, 'utf8'), 'disk');
      await assertRefused(name, /kernel file system proc$/);
      await assertRefused(link(`link-${index}`, name), /kernel file system proc$/);
    }
    fs.closeSync(fd);
  });

  for (const name of ['/dev/stdin', '/dev/stdout', '/dev/stderr']) {
    it(`nor is ${name}`, { skip: fs.existsSync(name) ? false : 'not on this system' }, async () => {
      await assertRefused(name, /kernel file system proc$/);
    });
  }

  it('nor is what links in the middle of a path lead to through one', async () => {
    link('root', '/proc/self/root');
    link('working-folder', '/proc/self/cwd/');
    link('hop', 'root/tmp');
    await assertRefused(inFolder(`root${image}`), /kernel file system proc$/);
    await assertRefused(inFolder('working-folder/package.json'), /kernel file system proc$/);
    await assertRefused(inFolder('hop'), /kernel file system proc$/);
  });

  it('nor with a root that allows it', async () => {
    await assertRefused('/proc/self/mem', /kernel file system proc$/, ['/proc', '/']);
  });
});

describe('with allowed roots', () => {
  it('a place below one of them is found, through a link from elsewhere too', async () => {
    const roots = ['/elsewhere', inFolder('images')];
    assert.equal(await contentAt(image, roots), 'disk');
    assert.equal(await contentAt(link('link', image), roots), 'disk');
    assert.equal(await contentAt(image, [`${folder}/images/`]), 'disk');
    assert.equal(await contentAt(image, ['/']), 'disk');
  });

  it('a place beside them is refused, also when its path begins like one or goes through one', async () => {
    fs.mkdirSync(inFolder('images-of-others'));
    fs.writeFileSync(inFolder('images-of-others/disk'), 'secret');
    link('images/out', '../images-of-others/disk');
    for (const name of ['images-of-others/disk', 'images/out']) {
      await assertRefused(inFolder(name), /is below none of \[backend_file\] allowed_roots$/, [
        inFolder('images'),
      ]);
    }
  });

  it('the root is not a place below itself', async () => {
    await assertRefused(image, /is below none of/, [image]);
  });
});
