import { createReadStream } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { createBLAKE2b } from 'hash-wasm';
import { MiB } from '../../src/base/units.js';
import { ImagesClient } from '../../test/support/client.js';
import type { Side } from '../side.js';
import type { Stand } from '../stand.js';
import type { Scenario, Subject } from './scenario.js';

const blockBytes = 4 * MiB;
const digestBits = 256;

/** GET of the checksum of the whole image. */
export class ChecksumScenario implements Scenario {
  readonly name = 'checksum';

  readonly title = 'checksum of the image (blake2b)';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const server = await stand.startServer(side, lifetime);
    const ticketId = 'checksum';
    await server.addTicket({
      id: ticketId,
      url: pathToFileURL(stand.source(0)).href,
      sizeBytes: stand.options.imageBytes,
      ops: ['read'],
    });
    const client = new ImagesClient(server.remote);
    lifetime.defer(() => {
      client.close();
    });
    const expected = await checksumOfFile(stand.source(0));
    const assertChecksum = async (): Promise<void> => {
      const checksum = await client.checksum(ticketId);
      if (checksum !== expected) throw new Error(`The checksum is ${checksum} instead of ${expected}`);
    };
    return {
      measured: [server],
      warmUp: assertChecksum,
      run: async () => {
        await assertChecksum();
        return {};
      },
    };
  }
}

/**
 * The digest of the digests of all blocks (docs/protocol.md, "Checksum"), computed here without any of the
 * service's code.
 */
async function checksumOfFile(file: string): Promise<string> {
  const [block, whole] = [await createBLAKE2b(digestBits), await createBLAKE2b(digestBits)];
  let blockBytesDone = 0;
  whole.init();
  block.init();
  // Chunks of a length that divides the block's never cross from one block into the next.
  for await (const chunk of createReadStream(file, { highWaterMark: MiB })) {
    block.update(chunk as Buffer);
    blockBytesDone += (chunk as Buffer).length;
    if (blockBytesDone < blockBytes) continue;
    whole.update(block.digest('binary'));
    block.init();
    blockBytesDone = 0;
  }
  return whole.digest('hex');
}
