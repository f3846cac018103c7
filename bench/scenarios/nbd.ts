import { execFile } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { KiB, type ByteRange } from '../../src/base/units.js';
import { ImagesClient } from '../../test/support/client.js';
import { eventually } from '../../test/support/deadline.js';
import { Program } from '../../test/support/program.js';
import { needs } from '../../test/support/requirements.js';
import { DaemonError } from '../../test/support/vdsm.js';
import { uploadParts, type CurlTarget, type ImagePart } from '../clients/curl.js';
import type { Side } from '../side.js';
import type { Stand } from '../stand.js';
import { downloads, equalRanges, wholeImage } from './download.js';
import { NotPossibleError, type Scenario, type Subject } from './scenario.js';
import { makeTarget, uploads } from './upload.js';

const run = promisify(execFile);

const ticketId = 'nbd';

/** GET of the whole image from qemu-nbd; qemu-nbd's own CPU time does not count. */
export class NbdDownloadScenario implements Scenario {
  readonly name = 'nbd-get-https-1';

  readonly title = 'GET from qemu-nbd, 1 connection, HTTPS';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const target = await startWithNbd(stand, side, lifetime, stand.source(0), ['read']);
    return downloads(target, wholeImage(stand), stand.source(0));
  }
}

/** PUT of the whole image to qemu-nbd, flushed. */
export class NbdUploadScenario implements Scenario {
  readonly name = 'nbd-put-https-1';

  readonly title = 'PUT + flush to qemu-nbd, 1 connection, HTTPS';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const image = await makeTarget(stand, side, lifetime);
    const target = await startWithNbd(stand, side, lifetime, image, ['read', 'write']);
    return uploads(stand, target, image);
  }
}

const writersCount = 4;

/** PUT of the image to qemu-nbd by four clients, a quarter each, flushed once at the end. */
export class NbdParallelUploadScenario implements Scenario {
  readonly name = 'nbd-put-https-4';

  readonly title = 'PUT of a quarter each + flush to qemu-nbd, 4 connections, HTTPS';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const image = await makeTarget(stand, side, lifetime);
    const target = await startWithNbd(stand, side, lifetime, image, ['read', 'write']);
    const ranges = equalRanges(stand.options.imageBytes, writersCount);
    const parts = [await splitImage(stand.source(0), ranges), await splitImage(stand.source(1), ranges)];
    return uploads(stand, target, image, (round) => uploadParts(target, parts[round % 2] ?? []));
  }
}

const extentsCount = 10_000;
const extentBytes = 4 * KiB;
// One list takes too little time to be measured.
const listsPerRun = 20;

/** The extents of an image whose data and holes take turns. */
export class NbdExtentsScenario implements Scenario {
  readonly name = 'nbd-extents-10k';

  readonly title = 'extents of a qcow2 image with 10 000 of them, from qemu-nbd, 20 times';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const image = await makeAlternatingImage(join(stand.folder, 'alternating.qcow2'));
    const sizeBytes = extentsCount * extentBytes;
    const { server } = await startWithNbd(stand, side, lifetime, image, ['read'], {
      format: 'qcow2',
      sizeBytes,
    });
    const client = new ImagesClient(server.remote);
    lifetime.defer(() => {
      client.close();
    });
    const list = async (): Promise<void> => {
      const extents = await client.extents(ticketId);
      const right = extents.every(
        ({ start, length, zero }, index) =>
          start === index * extentBytes && length === extentBytes && zero === (index % 2 === 1),
      );
      if (!right || extents.length !== extentsCount)
        throw new Error(`The list of ${extents.length} extents is wrong`);
    };
    return {
      measured: [server],
      warmUp: list,
      run: async () => {
        for (let lists = 0; lists < listsPerRun; lists += 1) await list();
        return {};
      },
    };
  }
}

/** The parts of an image in files beside it, made once. */
async function splitImage(image: string, ranges: readonly ByteRange[]): Promise<readonly ImagePart[]> {
  return Promise.all(
    ranges.map(async (range, index) => {
      const file = `${image}.part-${index}`;
      const end = range.offsetBytes + range.lengthBytes - 1;
      if (!existsSync(file))
        await pipeline(createReadStream(image, { start: range.offsetBytes, end }), createWriteStream(file));
      return { file, range };
    }),
  );
}

/** A qcow2 image in which every second cluster has data, made once. */
async function makeAlternatingImage(image: string): Promise<string> {
  const missing = needs('qemu-img', 'qemu-io');
  if (missing !== false) throw new NotPossibleError(missing);
  if (existsSync(image)) return image;
  const size = String(extentsCount * extentBytes);
  const options = `cluster_size=${extentBytes}`;
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, image, size]);
  const writing = run('qemu-io', ['-f', 'qcow2', '-t', 'unsafe', image]);
  for (let extent = 0; extent < extentsCount; extent += 2)
    writing.child.stdin?.write(`write -q -P 1 ${extent * extentBytes} ${extentBytes}\n`);
  writing.child.stdin?.end();
  await writing;
  return image;
}

async function startWithNbd(
  stand: Stand,
  side: Side,
  lifetime: AsyncDisposableStack,
  image: string,
  ops: readonly ('read' | 'write')[],
  {
    format = 'raw',
    sizeBytes = stand.options.imageBytes,
  }: { format?: 'raw' | 'qcow2'; sizeBytes?: number } = {},
): Promise<CurlTarget> {
  const missing = needs('qemu-nbd');
  if (missing !== false) throw new NotPossibleError(missing);
  const writable = ops.includes('write');
  const socket = join(stand.folder, `${side.name}-nbd.sock`);
  await startQemuNbd(socket, { image, format, writable }, lifetime);
  const server = await stand.startServer(side, lifetime);
  try {
    await server.addTicket({ id: ticketId, url: `nbd:unix:${socket}`, sizeBytes, ops });
  } catch (error: unknown) {
    if (!(error instanceof DaemonError && error.answer.status === 400)) throw error;
    throw new NotPossibleError(`${side.name} takes no nbd tickets: ${error.answer.text.trimEnd()}`);
  }
  return { server, transport: 'https', ticketId };
}

/** Serves an image as vdsm does. */
async function startQemuNbd(
  socket: string,
  {
    image,
    format,
    writable,
  }: { readonly image: string; readonly format: string; readonly writable: boolean },
  lifetime: AsyncDisposableStack,
): Promise<void> {
  const access = writable ? ['--discard=unmap', '--detect-zeroes=unmap'] : ['--read-only'];
  const transport = ['--persistent', '--shared=8', `--socket=${socket}`];
  const storage = ['--cache=none', '--aio=native', `--format=${format}`, image];
  const program = await Program.start('qemu-nbd', [...access, ...transport, ...storage]);
  lifetime.defer(() => program.kill());
  await eventually(() => {
    if (program.hasExited) throw new Error(`qemu-nbd ended at its start\n${program.lastLines()}`);
    return existsSync(socket) ? true : undefined;
  }, 'qemu-nbd listens');
}
