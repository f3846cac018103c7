import { BadGatewayError } from '../../../base/errors.js';
import type { DaemonCalls } from '../../../daemons/daemon-calls.js';
import type { BlockDigest, BlockDigestsRequest } from '../backend.js';
import { jsonEntries } from './json-entries.js';

/** Blocks that are asked for at once: what the daemon computes is not kept waiting for longer. */
const blocksPerPage = 64;

/**
 * Digests that another daemon computes.
 * @throws BadGatewayError when they are not of the blocks that were asked for
 */
export async function* digestPages(
  calls: DaemonCalls,
  { algorithm, blockSizeBytes, lengthBytes }: BlockDigestsRequest,
): AsyncGenerator<BlockDigest> {
  const pageBytes = blocksPerPage * blockSizeBytes;
  for (let startBytes = 0; startBytes < lengthBytes; startBytes += pageBytes) {
    const endBytes = Math.min(startBytes + pageBytes, lengthBytes);
    const part = `start=${startBytes}&length=${endBytes - startBytes}`;
    const query = `algorithm=${algorithm}&block_size=${blockSizeBytes}&${part}`;
    yield* await calls.ask({ method: 'GET', path: `/digests?${query}` }, async (answer, heard) => {
      const digests: BlockDigest[] = [];
      for await (const entry of jsonEntries(answer, heard)) {
        const offsetBytes = startBytes + digests.length * blockSizeBytes;
        const blockBytes = Math.min(blockSizeBytes, endBytes - offsetBytes);
        const { start, length, digest } = entry;
        if (start !== offsetBytes || length !== blockBytes || typeof digest !== 'string') throw wrong();
        digests.push({ range: { offsetBytes, lengthBytes: blockBytes }, digest: Buffer.from(digest, 'hex') });
      }
      if (digests.length * blockSizeBytes < endBytes - startBytes) throw wrong();
      return digests;
    });
  }
}

function wrong(): BadGatewayError {
  return new BadGatewayError('The host of the image told digests that were not asked for');
}
