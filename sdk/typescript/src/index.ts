export {
  ImageClient,
  type ByteRange,
  type BlockDigest,
  type BlockOptions,
  type Checksum,
  type ChecksumOptions,
  type DigestsOptions,
  type Extent,
  type ImageOptions,
  type Preflight,
  type Receipt,
  type ReceiptClaims,
  type ReceivedRanges,
  type PreflightOptions,
  type Job,
  type UploadOptions,
  type VerifiedReadOptions,
} from './images.js';
export type { FollowOptions, ImageEvent, JobEvent, TicketProgress, TicketsEvent } from './events.js';
export { IntegrityError, type ContentDigest, type DigestAlgorithm } from './content-digest.js';
export { NodeTransport, type NodeTransportOptions } from './node-transport.js';
export { SessionsClient, type Session } from './sessions.js';
export { ImageioError } from './service-error.js';
export { TicketsClient, type Copy, type CopyJob, type Ticket, type TicketInfo } from './tickets.js';
export { Transport, type Endpoint } from './transport.js';
export type { paths as ControlPaths } from './generated/control.js';
export type { paths as DaemonPaths } from './generated/daemon.js';
export type { paths as ProxyPaths } from './generated/proxy.js';
