import type { OperationKind } from './operation-kind.js';
import { CancelJob, FollowJob, GetJob, ListJobDigests, ListJobs } from './job-operations.js';
import {
  FollowTicket,
  GetChecksum,
  GetReceipt,
  HeadImage,
  ImageOptions,
  ListBlockDigests,
  ListChecksumAlgorithms,
  ListExtents,
  ListRanges,
  PatchImage,
  PreflightImage,
  ReadImage,
  WriteImage,
  type ImageAccess,
} from './image-operations.js';

/** What can be done with an image, or with something that belongs to it. */
export interface ImageRoute {
  /** The name of its handler, and of the operation in the contracts. */
  readonly name: string;
  readonly method: 'OPTIONS' | 'GET' | 'HEAD' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';
  /**
   * What follows the id in the path, such as `/extents`; empty for the image itself. `:job` stands for the
   * number of a job.
   */
  readonly path: '' | `/${string}`;
  /** What it counts as, in metrics and for those who watch a ticket, where it is relayed. */
  readonly kind: OperationKind;
  /** Its description, for daemon and proxy alike. */
  readonly contract: (access: ImageAccess) => MethodDecorator;
  /** Whether a proxy has it too, and asks the daemon. */
  readonly relayed: boolean;
  /** A daemon answers only when all of the work is done, which whoever relays it must wait for. */
  readonly isLongWork: boolean;
  /** Clients wait for its answer no longer than for others: see docs/protocol.md, "Early heads". */
  readonly hasEarlyHead?: boolean;
}

/**
 * The images API (docs/protocol.md, "Image paths"): every route of it, in the order of the contracts. All
 * else is made from this: the routes of daemon and proxy, which ends of a path are no part of an id, what an
 * operation is to the relay. The handlers are named in `images.module.ts`.
 */
export const imageRoutes = [
  {
    name: 'getImageOptions',
    method: 'OPTIONS',
    path: '',
    kind: 'options',
    contract: ImageOptions,
    relayed: true,
    isLongWork: false,
  },
  {
    name: 'readImage',
    method: 'GET',
    path: '',
    kind: 'read',
    contract: ReadImage,
    relayed: true,
    isLongWork: false,
  },
  {
    name: 'headImage',
    method: 'HEAD',
    path: '',
    kind: 'read',
    contract: HeadImage,
    relayed: true,
    isLongWork: false,
  },
  {
    name: 'writeImage',
    method: 'PUT',
    path: '',
    kind: 'write',
    contract: WriteImage,
    relayed: true,
    isLongWork: true,
  },
  {
    name: 'patchImage',
    method: 'PATCH',
    path: '',
    // A PATCH may also be a flush, which only its body tells. A relay does not have the body yet when it
    // needs the kind.
    kind: 'zero',
    contract: PatchImage,
    relayed: true,
    isLongWork: true,
  },
  {
    name: 'listImageExtents',
    method: 'GET',
    path: '/extents',
    kind: 'extents',
    contract: ListExtents,
    relayed: true,
    isLongWork: true,
    hasEarlyHead: true,
  },
  {
    name: 'getImageChecksum',
    method: 'GET',
    path: '/checksum',
    kind: 'checksum',
    contract: GetChecksum,
    relayed: true,
    isLongWork: true,
    hasEarlyHead: true,
  },
  {
    name: 'listBlockDigests',
    method: 'GET',
    path: '/digests',
    kind: 'checksum',
    contract: ListBlockDigests,
    relayed: true,
    isLongWork: true,
  },
  {
    name: 'listChecksumAlgorithms',
    method: 'GET',
    path: '/checksum/algorithms',
    kind: 'checksum',
    contract: ListChecksumAlgorithms,
    relayed: true,
    isLongWork: true,
  },
  {
    name: 'getReceipt',
    method: 'GET',
    path: '/receipt',
    kind: 'checksum',
    contract: GetReceipt,
    relayed: true,
    isLongWork: true,
  },
  {
    name: 'listReceivedRanges',
    method: 'GET',
    path: '/ranges',
    kind: 'ranges',
    contract: ListRanges,
    relayed: true,
    isLongWork: false,
  },
  {
    name: 'preflightImage',
    method: 'GET',
    path: '/preflight',
    kind: 'preflight',
    contract: PreflightImage,
    relayed: true,
    isLongWork: false,
  },
  {
    name: 'listImageJobs',
    method: 'GET',
    path: '/jobs',
    kind: 'jobs',
    contract: ListJobs,
    relayed: true,
    isLongWork: false,
  },
  {
    name: 'getImageJob',
    method: 'GET',
    path: '/jobs/:job',
    kind: 'jobs',
    contract: GetJob,
    relayed: true,
    isLongWork: false,
  },
  {
    name: 'cancelImageJob',
    method: 'DELETE',
    path: '/jobs/:job',
    kind: 'jobs',
    contract: CancelJob,
    relayed: true,
    isLongWork: true,
  },
  {
    name: 'followImageJob',
    method: 'GET',
    path: '/jobs/:job/events',
    kind: 'events',
    contract: FollowJob,
    relayed: true,
    isLongWork: false,
  },
  {
    name: 'listJobDigests',
    method: 'GET',
    path: '/jobs/:job/digests',
    kind: 'jobs',
    contract: ListJobDigests,
    relayed: true,
    isLongWork: false,
  },
  {
    name: 'followTicket',
    method: 'GET',
    path: '/events',
    kind: 'events',
    contract: FollowTicket,
    relayed: true,
    isLongWork: false,
  },
] as const satisfies readonly ImageRoute[];

export type ImageRouteName = (typeof imageRoutes)[number]['name'];
