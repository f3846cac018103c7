import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { KiB } from '../../src/base/units.js';
import { ImagesClient } from '../../test/support/client.js';
import type { Side } from '../side.js';
import type { Stand } from '../stand.js';
import type { Scenario, Subject } from './scenario.js';

const extentsCount = 1_000_000;
const extentBytes = 4 * KiB;
const sizeBytes = extentsCount * extentBytes;
const ticketId = 'extents';

/** The list of the extents of a file whose data and holes take turns, streamed. */
export class FileExtentsScenario implements Scenario {
  readonly name = 'file-extents-1m';

  readonly title = 'extents of a file with 1 000 000 of them';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const image = await makeAlternatingFile(join(stand.folder, 'alternating.img'));
    const server = await stand.startServer(side, lifetime);
    await server.addTicket({ id: ticketId, url: pathToFileURL(image).href, sizeBytes, ops: ['read'] });
    const client = new ImagesClient(server.remote);
    lifetime.defer(() => {
      client.close();
    });
    const list = async (): Promise<void> => {
      const answer = await client.open('GET', `/images/${ticketId}/extents`);
      const count = await countExtents(answer);
      if (answer.statusCode !== 200 || count !== extentsCount) {
        throw new Error(`The list has ${count} extents, status ${answer.statusCode}`);
      }
    };
    return {
      measured: [server],
      warmUp: async () => {
        const extents = await client.extents(ticketId);
        const right = extents.every(
          ({ start, length, zero }, index) =>
            start === index * extentBytes && length === extentBytes && zero === (index % 2 === 1),
        );
        if (!right || extents.length !== extentsCount)
          throw new Error(`The list of ${extents.length} extents is wrong`);
      },
      run: async () => {
        await list();
        return {};
      },
    };
  }
}

/** So many braces open that the list has that many extents; they are not kept. */
async function countExtents(pieces: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const piece of pieces) {
    const bytes = piece as Buffer;
    for (let at = bytes.indexOf('{'); at >= 0; at = bytes.indexOf('{', at + 1)) count += 1;
  }
  return count;
}

/** A sparse file in which every second block has data, made once. */
async function makeAlternatingFile(image: string): Promise<string> {
  if (existsSync(image)) return image;
  await using file = await open(image, 'w');
  const block = Buffer.alloc(extentBytes, 1);
  for (let at = 0; at < sizeBytes; at += 2 * extentBytes) await file.write(block, 0, extentBytes, at);
  await file.truncate(sizeBytes);
  await file.sync();
  return image;
}
