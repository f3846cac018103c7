import { constants, open } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GiB, KiB } from '../../src/base/units.js';
import { ImagesClient } from '../../test/support/client.js';
import type { Side } from '../side.js';
import type { Stand } from '../stand.js';
import type { Scenario, Subject } from './scenario.js';

const sizeBytes = 100 * GiB;
const extentsCount = 256;
const extentBytes = 64 * KiB;

/** PATCH zero of a large sparse image with some data in it, and a flush. */
export class ZeroScenario implements Scenario {
  readonly name = 'zero-100g-sparse';

  readonly title = 'zero 100 GiB with 256 extents of data, sparse, flushed';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const image = join(stand.folder, `${side.name}-sparse.img`);
    const server = await stand.startServer(side, lifetime);
    const ticketId = 'zero';
    await server.addTicket({
      id: ticketId,
      url: pathToFileURL(image).href,
      sizeBytes,
      ops: ['read', 'write'],
    });
    const client = new ImagesClient(server.remote);
    lifetime.defer(() => {
      client.close();
    });
    const zero = () => client.zero(ticketId, { offsetBytes: 0, lengthBytes: sizeBytes }, true);
    await writeExtents(image);
    return {
      measured: [server],
      warmUp: async () => {
        await zero();
        await assertZero(image);
      },
      beforeRun: () => writeExtents(image),
      run: async () => {
        await zero();
        return {};
      },
      afterRun: () => assertZero(image),
    };
  }
}

function extentPositions(): number[] {
  return Array.from({ length: extentsCount }, (_, index) => (sizeBytes / extentsCount) * index);
}

async function writeExtents(image: string): Promise<void> {
  // Without truncation: the service has it open.
  await using file = await open(image, constants.O_RDWR | constants.O_CREAT);
  await file.truncate(sizeBytes);
  const data = Buffer.alloc(extentBytes, 0x5a);
  for (const position of extentPositions()) await file.write(data, 0, extentBytes, position);
  await file.sync();
}

async function assertZero(image: string): Promise<void> {
  await using file = await open(image);
  const { size } = await file.stat();
  if (size !== sizeBytes) throw new Error(`The zeroed image has ${size} bytes instead of ${sizeBytes}`);
  const [actual, zeroes] = [Buffer.alloc(extentBytes), Buffer.alloc(extentBytes)];
  for (const position of extentPositions()) {
    await file.read(actual, 0, extentBytes, position);
    if (!actual.equals(zeroes)) throw new Error(`The zeroed image has data at ${position}`);
  }
}
