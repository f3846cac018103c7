import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../test/support/deadline.js';
import { Program } from '../../test/support/program.js';
import { needs } from '../../test/support/requirements.js';
import { DaemonError } from '../../test/support/vdsm.js';
import type { CurlTarget } from '../clients/curl.js';
import type { Side } from '../side.js';
import type { Stand } from '../stand.js';
import { downloads, wholeImage } from './download.js';
import { NotPossibleError, type Scenario, type Subject } from './scenario.js';
import { makeTarget, uploads } from './upload.js';

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

async function startWithNbd(
  stand: Stand,
  side: Side,
  lifetime: AsyncDisposableStack,
  image: string,
  ops: readonly ('read' | 'write')[],
): Promise<CurlTarget> {
  const missing = needs('qemu-nbd');
  if (missing !== false) throw new NotPossibleError(missing);
  const writable = ops.includes('write');
  const socket = await startQemuNbd(join(stand.folder, `${side.name}-nbd.sock`), image, writable, lifetime);
  const server = await stand.startServer(side, lifetime);
  const sizeBytes = stand.options.imageBytes;
  try {
    await server.addTicket({ id: ticketId, url: `nbd:unix:${socket}`, sizeBytes, ops });
  } catch (error: unknown) {
    if (!(error instanceof DaemonError && error.answer.status === 400)) throw error;
    throw new NotPossibleError(`${side.name} takes no nbd tickets: ${error.answer.text.trimEnd()}`);
  }
  return { server, transport: 'https', ticketId };
}

/** Serves an image as vdsm does. @returns its socket */
async function startQemuNbd(
  socket: string,
  image: string,
  writable: boolean,
  lifetime: AsyncDisposableStack,
): Promise<string> {
  const access = writable ? ['--discard=unmap', '--detect-zeroes=unmap'] : ['--read-only'];
  const transport = ['--persistent', '--shared=8', `--socket=${socket}`];
  const storage = ['--cache=none', '--aio=native', '--format=raw', image];
  const program = await Program.start('qemu-nbd', [...access, ...transport, ...storage]);
  lifetime.defer(() => program.kill());
  await eventually(() => {
    if (program.hasExited) throw new Error(`qemu-nbd ended at its start\n${program.lastLines()}`);
    return existsSync(socket) ? true : undefined;
  }, 'qemu-nbd listens');
  return socket;
}
