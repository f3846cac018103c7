import { sha256, type Hasher } from '#sdk/transfer';
import { HashWorkers } from '../images/checksum/hash-workers.js';

/** One hashes faster than a disk is moved. It is started when something is to be hashed. */
const threads = new HashWorkers(1);

/** SHA-256 in a thread that looks at the memory of disks without a copy. */
export const threadSha256: Hasher = {
  ...sha256,
  async digest(data) {
    if (!(data.buffer instanceof SharedArrayBuffer)) return sha256.digest(data);
    const lane = threads.openLane(sha256.algorithm);
    try {
      const [, digest] = await Promise.all([lane.update(data), lane.digest()]);
      return digest;
    } finally {
      lane.close();
    }
  },
};
