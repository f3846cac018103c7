import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { NoSpaceError, StorageError } from '../../src/base/errors.js';
import type { Backend } from '../../src/images/backends/backend.js';
import { KiB, MiB } from '../../src/base/units.js';
import { listExtents, openImage, pattern, readBytes } from './images.js';
import { freePort } from '../support/free-port.js';
import { missing, type NbdServer, runProgram, Workspace } from './servers.js';

const sizeBytes = 4 * MiB;

/** Opens an image of 4 MiB in the memory of an nbdkit. */
async function withMemory(
  args: readonly string[],
  use: (image: Backend, server: NbdServer, workspace: Workspace) => Promise<void>,
): Promise<void> {
  await using workspace = await Workspace.create();
  const fill = (arg: string): string => arg.replace('{folder}', workspace.folder);
  const options = args.filter((arg) => arg.startsWith('-')).map(fill);
  const parameters = args.filter((arg) => !arg.startsWith('-')).map(fill);
  const server = await workspace.nbdkit(...options, 'memory', `${sizeBytes}`, ...parameters);
  const image = await openImage(server.url);
  await use(image, server, workspace);
  await image.close();
}

/**
 * Writes, zeroes and reads at edges of everything, and compares with what a plain array would have become.
 */
async function exercise(image: Backend): Promise<void> {
  const model = Buffer.alloc(sizeBytes);
  const write = async (source: Buffer, at: number): Promise<void> => {
    source.copy(model, at);
    await image.write(source, at);
  };
  const zero = async (offsetBytes: number, lengthBytes: number, sparse: boolean): Promise<void> => {
    model.fill(0, offsetBytes, offsetBytes + lengthBytes);
    await image.zero({ offsetBytes, lengthBytes }, { sparse });
  };
  await write(pattern(2 * MiB), MiB);
  await write(pattern(1, 9), 0);
  await write(pattern(4097, 3), 4095);
  await write(pattern(100, 4), sizeBytes - 100);
  await write(Buffer.alloc(0), 10);
  await zero(MiB + 5, MiB, false);
  await zero(MiB - 1, 3, true);
  await zero(sizeBytes - 50, 50, true);
  await image.flush();
  assert.ok((await readBytes(image, 0, sizeBytes)).equals(model));
  for (const [at, length] of [
    [0, 1],
    [511, 2],
    [MiB - 3, 65 * KiB],
    [sizeBytes - 1, 1],
  ] as const) {
    assert.ok((await readBytes(image, at, length)).equals(model.subarray(at, at + length)));
  }
}

describe('nbdkit', { skip: missing('nbdkit') }, () => {
  for (const [what, args] of [
    ['as it comes', []],
    ['without structured replies', ['--no-sr']],
    ['with neither "fixed" handshake nor anything after it', ['--mask-handshake=0']],
    ['with padding after the export', ['--no-sr', '--mask-handshake=1']],
    ['without zeroes', ['--filter=nozero']],
    ['without extents', ['--filter=noextents']],
    [
      'with blocks of at least 512 bytes',
      ['--filter=blocksize-policy', 'blocksize-minimum=512', 'blocksize-error-policy=error'],
    ],
    [
      'with blocks of at least 4096 bytes',
      ['--filter=blocksize-policy', 'blocksize-minimum=4096', 'blocksize-error-policy=error'],
    ],
    [
      'with blocks of at least 65536 bytes, no zeroes and no structured replies',
      [
        '--no-sr',
        '--filter=nozero',
        '--filter=blocksize-policy',
        'blocksize-minimum=65536',
        'blocksize-preferred=65536',
        'blocksize-error-policy=error',
      ],
    ],
    [
      'with requests of 512 to 65536 bytes',
      [
        '--filter=blocksize-policy',
        'blocksize-minimum=512',
        'blocksize-preferred=4096',
        'blocksize-maximum=65536',
        'blocksize-error-policy=error',
      ],
    ],
    [
      'with requests of at most 256 KiB',
      [
        '--filter=blocksize-policy',
        'blocksize-preferred=4096',
        'blocksize-maximum=262144',
        'blocksize-error-policy=error',
      ],
    ],
    ['with slow answers out of order', ['--filter=delay', 'rdelay=5ms', 'wdelay=5ms']],
  ] as const) {
    test(`reads back what was written and zeroed, ${what}`, async () => {
      await withMemory(args, exercise);
    });
  }

  test('takes a flush for done where the server can only read and write', async () => {
    await using workspace = await Workspace.create();
    await writeFile(workspace.path('disk'), Buffer.alloc(64 * KiB));
    const disk = workspace.path('disk');
    const server = await workspace.nbdkit(
      'eval',
      'get_size=echo 65536',
      `pread=dd if=${disk} skip=$4 count=$3 iflag=skip_bytes,count_bytes`,
      `pwrite=dd of=${disk} seek=$4 oflag=seek_bytes conv=notrunc`,
    );
    const image = await openImage(server.url);
    await image.write(pattern(5000), 100);
    await image.zero({ offsetBytes: 200, lengthBytes: 4000 }, { sparse: true });
    await image.flush();
    const expected = Buffer.concat([Buffer.alloc(100), pattern(5000)]).fill(0, 200, 4200);
    assert.ok((await readBytes(image, 0, 5100)).equals(expected));
    await image.close();
    // Killed, it would leave the folder of its scripts behind.
    await server.stop('SIGTERM');
  });

  test('is refused clearly when it speaks only the oldstyle handshake', async () => {
    await using workspace = await Workspace.create();
    const server = await workspace.nbdkit('--oldstyle', 'memory', '1M');
    await assert.rejects(openImage(server.url), /oldstyle/);
  });

  test('is refused clearly when it requires TLS', async () => {
    await using workspace = await Workspace.create();
    await writeFile(workspace.path('keys'), 'user:0123456789abcdef\n');
    const server = await workspace.nbdkit(
      '--tls=require',
      `--tls-psk=${workspace.path('keys')}`,
      'memory',
      '1M',
    );
    await assert.rejects(openImage(server.url), { name: 'NbdConnectionError', message: /requires TLS/ });
  });

  test('never loses a neighbour of concurrent unaligned writes over several connections', async () => {
    const blocks = ['--filter=blocksize-policy', 'blocksize-minimum=4096', 'blocksize-error-policy=error'];
    await withMemory([...blocks, '--filter=delay', 'rdelay=1ms'], async (image, server) => {
      const images = [
        image,
        await openImage(server.url),
        await openImage(`nbd+unix:///?socket=${server.socketPath}`),
      ];
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(fc.integer({ min: 1, max: 20_000 }), { minLength: 2, maxLength: 12 }),
          fc.nat(250),
          async (unsortedCuts, seed) => {
            // Pieces that touch each other, mostly within the same blocks.
            const cuts = [...unsortedCuts].sort((one, other) => one - other);
            const data = pattern(cuts.at(-1)! - cuts[0]!, seed);
            await Promise.all(
              cuts.slice(1).map((end, index) => {
                const start = cuts[index]!;
                return images[index % images.length]!.write(
                  data.subarray(start - cuts[0]!, end - cuts[0]!),
                  start,
                );
              }),
            );
            assert.ok((await readBytes(image, cuts[0]!, data.length)).equals(data));
          },
        ),
        { numRuns: 40 },
      );
      await Promise.all(images.slice(1).map((other) => other.close()));
    });
  });

  test('answers with zeroes and data where the image has them', async () => {
    await withMemory([], async (image) => {
      await image.write(pattern(MiB), MiB);
      assert.deepEqual(await listExtents(image), [
        { start: 0, length: MiB, zero: true, hole: false },
        { start: MiB, length: MiB, zero: false, hole: false },
        { start: 2 * MiB, length: 2 * MiB, zero: true, hole: false },
      ]);
    });
  });

  for (const args of [['--no-sr'], ['--filter=noextents']]) {
    test(`is one extent of data with ${args.join(' ')}`, async () => {
      await withMemory(args, async (image) => {
        assert.deepEqual(await listExtents(image), [
          { start: 0, length: sizeBytes, zero: false, hole: false },
        ]);
        assert.equal(image.canDirtyExtents, false);
      });
    });
  }

  test('is one extent of data when its extents fail', async () => {
    await withMemory(['--filter=error', 'error-extents-rate=1'], async (image) => {
      assert.deepEqual(await listExtents(image), [{ start: 0, length: sizeBytes, zero: false, hole: false }]);
    });
  });

  for (const replies of [[], ['--no-sr']]) {
    test(`fails single requests, not the connection ${replies.join('')}`, async () => {
      const args = [...replies, '--filter=error', 'error=EIO', 'error-rate=1', 'error-file={folder}/fail'];
      await withMemory(args, async (image, _server, workspace) => {
        await image.write(pattern(4096), 0);
        await writeFile(workspace.path('fail'), '');
        const failing = [
          readBytes(image, 0, 100),
          image.write(pattern(100), 0),
          image.zero({ offsetBytes: 0, lengthBytes: 512 }, { sparse: true }),
        ];
        for (const outcome of await Promise.allSettled(failing)) {
          assert.ok(outcome.status === 'rejected');
          assert.equal((outcome.reason as { errorName?: string }).errorName, 'EIO');
        }
        await runProgram('rm', workspace.path('fail'));
        assert.ok((await readBytes(image, 0, 4096)).equals(pattern(4096)));
      });
    });
  }

  test('says when there is no space, for writes and zeroes', async () => {
    const args = [
      '--filter=error',
      'error=ENOSPC',
      'error-pwrite-rate=1',
      'error-zero-rate=1',
      'error-file={folder}/full',
    ];
    await withMemory(args, async (image, _server, workspace) => {
      await writeFile(workspace.path('full'), '');
      await assert.rejects(image.write(pattern(100), 0), NoSpaceError);
      await assert.rejects(image.zero({ offsetBytes: 0, lengthBytes: 512 }, { sparse: false }), NoSpaceError);
      await runProgram('rm', workspace.path('full'));
      await image.write(pattern(100), 0);
      assert.ok((await readBytes(image, 0, 100)).equals(pattern(100)));
    });
  });

  test('has zeroes written by hand where it cannot zero', async () => {
    await withMemory(['--filter=error', 'error=EINVAL', 'error-zero-rate=1'], exercise);
  });

  test('fails one piece of a call that was split, and only that call', async () => {
    const blocks = ['--filter=blocksize-policy', 'blocksize-preferred=4096', 'blocksize-maximum=65536'];
    const args = [...blocks, '--filter=error', 'error=EIO', 'error-pread-rate=50%'];
    await withMemory(args, async (image) => {
      await image.write(pattern(sizeBytes), 0);
      // 64 pieces, each of which fails every other time.
      await assert.rejects(readBytes(image, 0, sizeBytes), { name: 'NbdRequestError', errorName: 'EIO' });
      await image.flush();
    });
  });

  test('serves a file over TCP, by each form of url', async () => {
    await using workspace = await Workspace.create();
    await writeFile(workspace.path('disk'), pattern(10_001));
    const port = await freePort();
    await workspace.nbdkitOnPort(port, 'file', workspace.path('disk'));
    for (const url of [
      `nbd:127.0.0.1:${port}`,
      `nbd://127.0.0.1:${port}/`,
      `nbd:localhost:${port}:exportname=any`,
    ]) {
      const image = await openImage(url);
      assert.ok((await readBytes(image, 0, 10_001)).equals(pattern(10_001)));
      await image.close();
    }
  });

  test('is not written to through an image that was opened for reading', async () => {
    await withMemory([], async (image, server) => {
      const reader = await openImage(server.url, { writable: false });
      await assert.rejects(reader.write(pattern(10), 0), StorageError);
      await assert.rejects(reader.zero({ offsetBytes: 0, lengthBytes: 10 }, { sparse: true }), StorageError);
      assert.ok((await readBytes(image, 0, 10)).equals(Buffer.alloc(10)));
      await reader.close();
    });
  });

  test('closes after the calls in flight, and takes no more', async () => {
    await using workspace = await Workspace.create();
    const server = await workspace.nbdkit('--filter=delay', 'memory', '1M', 'wdelay=100ms');
    const image = await openImage(server.url);
    let written = false;
    void image.write(pattern(4096), 0).then(() => (written = true));
    await Promise.all([image.close(), image.close()]);
    assert.equal(written, true);
    await assert.rejects(image.flush(), StorageError);
  });
});
