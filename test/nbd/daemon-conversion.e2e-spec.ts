import assert from 'node:assert/strict';
import { open, stat } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { MiB } from '../../src/base/units.js';
import { NbdDaemon } from './nbd-daemon.js';
import { missing, type NbdServer, runProgram } from './servers.js';

/**
 * What `nbdinfo --map --json` and `qemu-img map --output=json` tell of a stretch, as
 * far as it matters here.
 */
interface Stretch {
  readonly start: number;
  readonly length: number;
  readonly data: boolean;
  readonly zero: boolean;
}

const sizeBytes = 64 * MiB;
/** The most of one request, as clients commonly have it. */
const pieceBytes = 4 * MiB;

describe(
  'a qcow2 image moved by its extents',
  { skip: missing('qemu-nbd', 'qemu-img', 'qemu-io', 'nbdinfo', 'nbdcopy') },
  () => {
    let daemon: NbdDaemon;
    before(async () => {
      daemon = await NbdDaemon.start();
    });
    after(async () => {
      await daemon[Symbol.asyncDispose]();
    });

    /** A chain of two layers with data, zeroes over data, and nothing. */
    async function createSource(): Promise<string> {
      const [base, top] = [daemon.workspace.path('base.qcow2'), daemon.workspace.path('source.qcow2')];
      await runProgram('qemu-img', 'create', '-q', '-f', 'qcow2', base, `${sizeBytes}`);
      await qemuIo(base, 'write -P 1 0 3M', 'write -P 2 20M 10M', 'write -P 3 63M 1M');
      await runProgram('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top);
      await qemuIo(top, 'write -P 4 2M 65k', 'write -z 22M 2M', 'write -P 5 40000000 70001');
      return top;
    }

    /**
     * The client's side: reads the map and the data of the source with libnbd, sends data
     * with PUT and the rest with zero.
     */
    async function send(source: string, target: NbdServer): Promise<void> {
      const server = await daemon.workspace.qemuNbd('--read-only', '--format=qcow2', source);
      const uri = `nbd+unix:///?socket=${server.socketPath}`;
      const map = JSON.parse(await runProgram('nbdinfo', '--map', '--json', uri)) as {
        offset: number;
        length: number;
        type: number;
      }[];
      const copy = daemon.workspace.path('source.raw');
      await runProgram('nbdcopy', uri, copy);
      const id = await daemon.addTicket(target.url, sizeBytes, { sparse: true });
      const client = daemon.client();
      await using bytes = await open(copy);
      for (const { offset, length, type } of map) {
        // Bit 1 of base:allocation: it reads as zeroes.
        if ((type & 2) !== 0) {
          await client.zero(id, { offsetBytes: offset, lengthBytes: length });
          continue;
        }
        for (let at = offset; at < offset + length; at += pieceBytes) {
          const piece = Buffer.alloc(Math.min(pieceBytes, offset + length - at));
          await bytes.read(piece, 0, piece.length, at);
          await client.write(id, piece, at);
        }
      }
      await client.flush(id);
      assert.equal(await daemon.removeTicket(id), 204);
      await server.stop('SIGTERM');
    }

    for (const [before, prepare] of [
      ['an empty image', async () => Promise.resolve()],
      ['an image full of something else', (path: string) => qemuIo(path, `write -P 9 0 ${sizeBytes}`)],
    ] as const) {
      test(`is equal over ${before}, and has its holes`, async (t) => {
        const source = await createSource();
        const target = daemon.workspace.path('target.qcow2');
        await runProgram('qemu-img', 'create', '-q', '-f', 'qcow2', target, `${sizeBytes}`);
        await prepare(target);
        const server = await daemon.workspace.qemuNbd('--format=qcow2', '--discard=unmap', target);
        await send(source, server);
        await server.stop('SIGTERM');
        const compared = await runProgram(
          'qemu-img',
          ...['compare', '-f', 'qcow2', '-F', 'qcow2', source, target],
        );
        assert.match(compared, /Images are identical/);
        for (const image of [source, target]) {
          t.diagnostic(await runProgram('qemu-img', 'map', image));
        }
        assert.deepEqual(await dataOf(target), await dataOf(source));
        const { blocks } = await stat(target);
        const dataBytes = (await dataOf(source)).reduce((sum, { length }) => sum + length, 0);
        t.diagnostic(`${blocks * 512} bytes allocated for ${dataBytes} bytes of data`);
        assert.ok(blocks * 512 < dataBytes + MiB);
      });
    }

    function qemuIo(path: string, ...commands: readonly string[]): Promise<string> {
      return runProgram('qemu-io', '-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), path);
    }
  },
);

/** Where an image has data through all of its layers; neighbours merged. */
async function dataOf(path: string): Promise<{ start: number; length: number }[]> {
  const map = JSON.parse(
    await runProgram('qemu-img', 'map', '-f', 'qcow2', '--output=json', path),
  ) as Stretch[];
  const merged: { start: number; length: number }[] = [];
  for (const { start, length, data, zero } of map) {
    if (!data || zero) continue;
    const last = merged.at(-1);
    if (last !== undefined && last.start + last.length === start) last.length += length;
    else merged.push({ start, length });
  }
  return merged;
}
