import type { ByteRange } from '../../base/units.js';
import type { ReceivedRanges } from '../../tickets/received-ranges.js';

/** What was found out about an image. */
export interface ReceiptFacts {
  readonly unixSeconds: number;
  readonly transferId: string;
  readonly sizeBytes: number;
  readonly algorithm: string;
  readonly blockSizeBytes: number;
  readonly checksum: string;
  readonly received: ReceivedRanges;
}

/** A receipt has no more, so that nobody has to read one of megabytes. */
const rangesMax = 10_000;

/** In the form of the contract (docs/protocol.md, "Receipts"). */
export function receiptClaims(facts: ReceiptFacts): object {
  const { received } = facts;
  const { ranges, nextBytes = null } = received.page({ state: 'durable', startBytes: 0, rangesMax });
  return {
    iat: Math.floor(facts.unixSeconds),
    transfer_id: facts.transferId,
    size: facts.sizeBytes,
    algorithm: facts.algorithm,
    block_size: facts.blockSizeBytes,
    checksum: facts.checksum,
    received_bytes: received.receivedBytes,
    durable_bytes: received.durableBytes,
    durable_ranges: joined(ranges).map(({ offsetBytes, lengthBytes }) => ({
      start: offsetBytes,
      length: lengthBytes,
    })),
    next: nextBytes,
  };
}

/** Whether bytes were written or zeroed makes no difference here. */
function joined(ranges: readonly ByteRange[]): ByteRange[] {
  const all: ByteRange[] = [];
  for (const { offsetBytes, lengthBytes } of ranges) {
    const last = all.at(-1);
    if (last !== undefined && last.offsetBytes + last.lengthBytes === offsetBytes)
      all[all.length - 1] = { ...last, lengthBytes: last.lengthBytes + lengthBytes };
    else all.push({ offsetBytes, lengthBytes });
  }
  return all;
}
