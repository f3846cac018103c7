import { InvalidRequestError } from '../../base/errors.js';
import { MiB } from '../../base/units.js';
import { checksumAlgorithms } from '../checksum/block-hash.js';
import {
  blockSizeBytesMax,
  blockSizeBytesMin,
  blockSizeMultipleBytes,
  isBlockSize,
} from '../checksum/block-size.js';
import type { BlockHashing } from '../checksum/digest-series.js';
import type { QueryValues } from './image-handler.js';

const defaultAlgorithm = 'blake2b';
const defaultBlockSizeBytes = 4 * MiB;

/**
 * How the blocks of an image are to be hashed (docs/protocol.md, "Checksum").
 * @throws InvalidRequestError naming what is allowed
 */
export function blockParameters(query: QueryValues): BlockHashing {
  const { algorithm = defaultAlgorithm, block_size: blockSize = String(defaultBlockSizeBytes) } = query;
  if (typeof algorithm !== 'string' || !checksumAlgorithms.includes(algorithm)) {
    const available = checksumAlgorithms.map((name) => `'${name}'`).join(', ');
    throw new InvalidRequestError(`Unknown algorithm '${String(algorithm)}', available: ${available}`);
  }
  const blockSizeBytes = typeof blockSize === 'string' && /^\d{1,9}$/.test(blockSize) ? Number(blockSize) : 0;
  if (!isBlockSize(blockSizeBytes)) {
    throw new InvalidRequestError(
      `Invalid block_size, expected a multiple of ${blockSizeMultipleBytes} from ${blockSizeBytesMin} to ` +
        `${blockSizeBytesMax}`,
    );
  }
  return { algorithm, blockSizeBytes };
}
