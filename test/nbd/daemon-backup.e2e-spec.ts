import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { KiB, MiB } from '../../src/base/units.js';
import { imagePath, type WireExtent } from '../support/client.js';
import { patienceMs } from '../support/deadline.js';
import { projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';
import { NbdDaemon } from './nbd-daemon.js';
import { runProgram } from './servers.js';

const sizeBytes = 32 * MiB;
const clusterBytes = 64 * KiB;

describe('incremental backup', { skip: needs('qemu-nbd', 'qemu-img', 'qemu-io') }, () => {
  let daemon: NbdDaemon;
  before(async () => {
    daemon = await NbdDaemon.start();
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
  });

  test('downloads only what changed since the last backup, and rebuilds the image from it', async (t) => {
    const disk = daemon.workspace.path('disk.qcow2');
    const backup = daemon.workspace.path('backup.raw');
    const client = daemon.client();
    await runProgram('qemu-img', 'create', '-q', '-f', 'qcow2', disk, `${sizeBytes}`);
    await change(disk, 'first', 60);
    await runProgram('qemu-img', 'bitmap', '--add', disk, 'since-full');
    await withExport(disk, 'since-full', (id) => client.download(id, backup));
    let bitmap = 'since-full';
    for (const round of ['second', 'third']) {
      await change(disk, round, 12);
      const nextBitmap = `since-${round}`;
      await runProgram('qemu-img', 'bitmap', '--add', disk, nextBitmap);
      await withExport(disk, bitmap, async (id) => {
        const extents = await client.extents(id, 'dirty');
        assertCovering(extents);
        const dirty = extents.filter((extent) => extent.dirty);
        await using file = await open(backup, 'r+');
        let downloadedBytes = 0;
        for (const { start, length, zero } of dirty) {
          const data = zero ? Buffer.alloc(length) : await client.read(id, toRange(start, length));
          downloadedBytes += zero ? 0 : length;
          await file.write(data, 0, length, start);
        }
        t.diagnostic(`${round}: ${downloadedBytes} of ${sizeBytes} bytes in ${dirty.length} extents`);
        assert.ok(dirty.length > 0 && downloadedBytes <= 12 * 2 * clusterBytes);
        // The other context still tells of the whole image.
        assertCovering(await client.extents(id));
      });
      assert.match(
        await runProgram('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', backup, disk),
        /identical/,
      );
      await runProgram('qemu-img', 'bitmap', '--remove', disk, bitmap);
      bitmap = nextBitmap;
    }
  });

  test('has no dirty extents without a bitmap, or for a ticket that does not say so', async () => {
    const disk = daemon.workspace.path('plain.qcow2');
    await runProgram('qemu-img', 'create', '-q', '-f', 'qcow2', disk, '1M');
    const server = await daemon.workspace.qemuNbd('--read-only', '--format=qcow2', disk);
    for (const dirty of [true, false]) {
      const id = await daemon.addTicket(server.url, MiB, { ops: ['read'], dirty });
      const answer = await daemon.client().request('GET', `${imagePath(id)}/extents?context=dirty`);
      assert.equal(answer.status, 404);
      assert.equal(await daemon.removeTicket(id), 204);
    }
  });

  test('works as docs/backup.md says', { skip: needs('bash', 'curl', 'jq') }, async () => {
    const text = await readFile(join(projectRoot, 'docs', 'backup.md'), 'utf8');
    const script = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block).join('\n');
    const folder = daemon.workspace.path('walk-through');
    await mkdir(folder);
    const control = daemon.service.address('control');
    assert.ok(control.kind === 'unix');
    // Whatever fails ends the script, and with it the server that it started.
    const guard = "set -euo pipefail; trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n";
    const { stdout } = await promisify(execFile)('bash', ['-c', guard + script], {
      timeout: patienceMs,
      cwd: folder,
      env: {
        ...process.env,
        DAEMON: daemon.service.url,
        CONTROL: control.path,
        CA: daemon.fixture.pki.caFile,
      },
    });
    assert.match(stdout, /Images are identical/);
    const extents = JSON.parse(await readFile(join(folder, 'extents.json'), 'utf8')) as WireExtent[];
    assert.deepEqual(
      extents.filter(({ dirty }) => dirty),
      [
        { start: 4 * MiB, length: MiB, dirty: true, zero: false },
        { start: 20 * MiB, length: MiB, dirty: true, zero: true },
        { start: 40 * MiB, length: 128 * KiB, dirty: true, zero: false },
      ],
    );
  });

  /** What a guest might do: writes and zeroes here and there, the same each time for one seed. */
  async function change(disk: string, seed: string, count: number): Promise<void> {
    const random = createHash('shake256', { outputLength: count * 6 })
      .update(seed)
      .digest();
    const commands = Array.from({ length: count }, (_, index) => {
      const start = random.readUInt32BE(index * 6) % (sizeBytes - clusterBytes);
      const length = 1 + (random.readUInt16BE(index * 6 + 4) % clusterBytes);
      return index % 4 === 3
        ? `write -z ${start - (start % clusterBytes)} ${clusterBytes}`
        : `write -P ${1 + (length % 250)} ${start} ${length}`;
    });
    await runProgram('qemu-io', '-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), disk);
  }

  async function withExport(
    disk: string,
    bitmap: string,
    use: (ticketId: string) => Promise<void>,
  ): Promise<void> {
    const server = await daemon.workspace.qemuNbd(
      ...['--read-only', '--format=qcow2', `--bitmap=${bitmap}`, disk],
    );
    const id = await daemon.addTicket(server.url, sizeBytes, { ops: ['read'], dirty: true });
    await use(id);
    assert.equal(await daemon.removeTicket(id), 204);
    await server.stop('SIGTERM');
  }
});

function toRange(offsetBytes: number, lengthBytes: number) {
  return { offsetBytes, lengthBytes };
}

function assertCovering(extents: readonly WireExtent[]): void {
  let end = 0;
  for (const { start, length } of extents) {
    assert.equal(start, end);
    end += length;
  }
  assert.equal(end, sizeBytes);
}
