export { RangeSet, type ByteRange } from './byte-ranges.js';
export { BlobDisk } from './blob-disk.js';
export type {
  BlockDigest,
  DiskExtent,
  DurableRanges,
  Finding,
  HashingDisk,
  Preflight,
  ReadableDisk,
  TransferPlan,
  WritableDisk,
} from './disk.js';
export {
  AbortedError,
  SourceChangedError,
  StoppedError,
  TransferError,
  VerificationError,
} from './failure.js';
export { FetchTransport } from './fetch-transport.js';
export { sha256, type Hasher } from './hashing.js';
export { HttpImage, type ImageCapabilities } from './http-image.js';
export type { HttpAnswer, HttpRequest, HttpTransport, PartRequest } from './http.js';
export { PreflightError } from './preflight.js';
export type { TransferPhase, TransferProgress } from './progress.js';
export { SessionTransport } from './session-transport.js';
export { imagePath, readSignedTicket, type SignedTicketContent } from './signed-ticket.js';
export type { StateStore, TransferState } from './transfer-state.js';
export { startTransfer, transferDefaults, type Transfer, type TransferOptions } from './transfer.js';
