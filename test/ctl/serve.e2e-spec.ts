import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { MiB } from '../../src/base/units.js';
import { DaemonUnderTest } from '../e2e/daemon-under-test.js';
import { missing } from '../nbd/servers.js';
import { eventually } from '../support/deadline.js';
import { freePort } from '../support/free-port.js';
import { Program } from '../support/program.js';
import { pinnedNode, projectRoot } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

const run = promisify(execFile);
const program = join(projectRoot, 'dist', 'ctl', 'main.js');
const imageio = `"${pinnedNode}" "${join(projectRoot, 'dist', 'client', 'main.js')}"`;
const size = 4 * MiB;

interface Offer {
  readonly transfer_url: string;
  readonly cafile: string | null;
  readonly ops: readonly string[];
  readonly size: number;
  readonly format: string;
  readonly dirty: boolean;
}

describe('ovirt-imageioctl serve', { skip: missing('qemu-nbd', 'qemu-img', 'curl') }, () => {
  let folder: TemporaryFolder;
  let daemon: DaemonUnderTest;
  const content = randomBytes(size);
  before(async () => {
    folder = await TemporaryFolder.create();
    // Any free port would be one that nobody can be told of beforehand.
    daemon = await DaemonUnderTest.start({ remote: { port: await freePort() } });
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const serve = (...args: readonly string[]): Promise<Program> =>
    Program.start(pinnedNode, [program, 'serve', ...args], { cwd: folder.path });
  const alone = (...args: readonly string[]): Promise<Program> =>
    serve('--private', '--host', 'localhost', ...args);
  const beside = (...args: readonly string[]): Promise<Program> =>
    serve('-c', daemon.folder.file('daemon'), '--host', 'localhost', ...args);
  const offerOf = (served: Program): Promise<Offer> =>
    served.waitForLine(
      (line) => (line.startsWith('{') ? (JSON.parse(line) as Offer) : undefined),
      'an offer',
    );
  /** The printed command that matches, run as it is but for the name of the program. */
  const paste = async (served: Program, pattern: RegExp): Promise<string> => {
    const command = await served.waitForLine(
      (line) => (pattern.test(line) ? line.trim() : undefined),
      `a line like ${pattern}`,
    );
    const { stdout } = await run('sh', ['-c', command.replace(/^imageio/, imageio)], { cwd: folder.path });
    return stdout;
  };
  const makeQcow2 = async (name: string, data: Buffer | undefined): Promise<string> => {
    const file = folder.file(name);
    if (data === undefined) await run('qemu-img', ['create', '-q', '-f', 'qcow2', file, String(size)]);
    else {
      await writeFile(folder.file('content'), data);
      await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', folder.file('content'), file]);
    }
    return file;
  };
  const contentOf = async (qcow2: string): Promise<Buffer> => {
    await run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', qcow2, folder.file('flat')]);
    return readFile(folder.file('flat'));
  };

  test('gives a raw file away by a daemon of its own, and ends when all of it was read', async () => {
    await writeFile(folder.file('disk.img'), content);
    const served = await alone('disk.img');
    await paste(served, /^ +curl/);
    assert.ok((await readFile(folder.file('disk.raw'))).equals(content));
    assert.equal((await served.waitForExit()).code, 0, served.lastLines());
    assert.match(served.lines.at(-1) ?? '', /^4 MiB of 4 MiB transferred/);
  });

  test('gives a qcow2 file away with the running daemon, and leaves nothing of it behind', async () => {
    const file = await makeQcow2('disk.qcow2', content);
    const served = await beside(file);
    await rm(folder.file('disk.raw'), { force: true });
    await paste(served, /^ +imageio download/);
    assert.ok((await readFile(folder.file('disk.raw'))).equals(content));
    assert.equal((await served.waitForExit()).code, 0, served.lastLines());
    assert.deepEqual(await daemon.daemon.vdsm.listTickets(), []);
    // Whoever has it open would refuse this.
    assert.ok((await contentOf(file)).equals(content));
  });

  test('takes a disk into a qcow2 file, from curl and from imageio', async () => {
    await writeFile(folder.file('disk.raw'), content);
    const ways: readonly [typeof alone, RegExp][] = [
      [alone, /imageio upload/],
      [beside, /curl .*--upload-file/],
    ];
    for (const [start, command] of ways) {
      const file = await makeQcow2('target.qcow2', undefined);
      const served = await start(file, '--write');
      await paste(served, command);
      assert.equal((await served.waitForExit()).code, 0, served.lastLines());
      assert.ok((await contentOf(file)).equals(content));
    }
  });

  test('prints no command that is refused, when the running daemon has no TLS', async () => {
    await using plain = await DaemonUnderTest.start({
      tls: { enable: false },
      remote: { port: await freePort() },
    });
    await writeFile(folder.file('disk.img'), content);
    const served = await serve('-c', plain.folder.file('daemon'), '--host', 'localhost', 'disk.img');
    await paste(served, /^ +curl .* http:/);
    assert.ok((await readFile(folder.file('disk.raw'))).equals(content));
    assert.ok(!served.lines.some((line) => line.includes('imageio download')), served.lastLines());
    assert.equal((await served.waitForExit()).code, 0, served.lastLines());
  });

  test('tells programs in one line what is served', async () => {
    await writeFile(folder.file('disk.img'), content);
    const served = await alone('disk.img', '--write', '--output', 'json', '--ttl', '90s');
    const { transfer_url: url, cafile, ...offer } = await offerOf(served);
    assert.match(url, /^https:\/\/localhost:\d+\/images\/[-0-9a-f]{36}$/);
    assert.ok(cafile !== null && existsSync(cafile));
    const { expires, ...rest } = offer as Omit<Offer, 'transfer_url'> & { readonly expires: string };
    assert.deepEqual(rest, { ops: ['read', 'write'], size, format: 'raw', dirty: false });
    const seconds = (new Date(expires).getTime() - Date.now()) / 1000;
    assert.ok(seconds > 0 && seconds <= 90, expires);
    assert.equal((await served.stop('SIGINT')).code, 0);
  });

  test('writes an address into a url as urls have it', async () => {
    await writeFile(folder.file('disk.img'), content);
    for (const start of [alone, beside]) {
      const served = await start(folder.file('disk.img'), '--host', '::1', '--output', 'json');
      assert.match((await offerOf(served)).transfer_url, /^https:\/\/\[::1\]:\d+\/images\//);
      assert.equal((await served.stop('SIGINT')).code, 0, served.lastLines());
    }
  });

  test('leaves nothing behind, whatever signal ends it', async () => {
    const file = await makeQcow2('ended.qcow2', content);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      const served = await alone(file, '--output', 'json');
      const { cafile } = await offerOf(served);
      assert.equal((await served.stop(signal)).code, 0, served.lastLines());
      assert.ok(cafile !== null && !existsSync(dirname(cafile)), signal);
      assert.ok((await contentOf(file)).equals(content));
    }
  });

  test('ends when its time is over, and when nobody uses it any more', async () => {
    await writeFile(folder.file('disk.img'), content);
    const expired = await alone('disk.img', '--ttl', '1s');
    assert.equal((await expired.waitForExit()).code, 1);
    assert.match(expired.lastLines(), /the time is over: --ttl gives more/);
    const unused = await alone('disk.img', '--idle', '1s', '--output', 'json');
    const { transfer_url: url, cafile } = await offerOf(unused);
    await run('curl', [
      '--silent',
      '--cacert',
      cafile ?? '',
      '--range',
      '0-4095',
      '--output',
      '/dev/null',
      url,
    ]);
    assert.equal((await unused.waitForExit()).code, 0, unused.lastLines());
  });

  test('tells which parts of a disk are dirty', async () => {
    const file = await makeQcow2('dirty.qcow2', content);
    await run('qemu-img', ['bitmap', '--add', file, 'backup']);
    await run('qemu-io', ['-c', 'write -P 1 1M 64k', file]);
    const served = await alone(file, '--bitmap', 'backup');
    const extents = JSON.parse(await paste(served, /curl .*context=dirty/)) as {
      dirty: boolean;
      start: number;
    }[];
    assert.deepEqual(
      extents.filter(({ dirty }) => dirty).map(({ start }) => start),
      [MiB],
    );
    assert.equal((await served.stop('SIGINT')).code, 0);
  });

  test('is told when the ticket is removed by somebody else', async () => {
    await writeFile(daemon.folder.file('removed.img'), content);
    const served = await beside(daemon.folder.file('removed.img'), '--output', 'json');
    const { transfer_url: url } = await offerOf(served);
    await daemon.daemon.vdsm.removeTicket(url.slice(url.lastIndexOf('/') + 1));
    assert.equal((await served.waitForExit()).code, 1);
    assert.match(served.lastLines(), /somebody has removed the ticket/);
  });

  test('says what is wrong with a disk', async () => {
    await writeFile(folder.file('disk.img'), content);
    await writeFile(folder.file('broken.qcow2'), 'QFI\xfb', 'latin1');
    const locked = await makeQcow2('locked.qcow2', content);
    await using holder = await holding(locked);
    const cases: readonly [readonly string[], RegExp][] = [
      [['absent.img'], /absent\.img: ENOENT/],
      [['.'], /neither a file nor a block device/],
      [['disk.img', '--bitmap', 'b'], /disk\.img is raw: only qcow2 has dirty bitmaps/],
      [['broken.qcow2'], /broken\.qcow2: /],
      [[locked, '--write'], /lock/],
    ];
    for (const [args, message] of cases) {
      const served = await alone(...args);
      assert.equal((await served.waitForExit()).code, 1, served.lastLines());
      assert.match(served.lastLines(), message);
    }
    assert.ok(!holder.hasExited);
  });

  /** A program that has the disk open to write it, as a virtual machine has. */
  async function holding(file: string): Promise<Program & AsyncDisposable> {
    const socket = folder.file('holder.sock');
    const holder = await Program.start('qemu-nbd', [
      '--persistent',
      '--format=qcow2',
      '--socket',
      socket,
      file,
    ]);
    await eventually(() => existsSync(socket) || undefined, 'the disk is open');
    return Object.assign(holder, { [Symbol.asyncDispose]: () => holder.kill() });
  }
});
