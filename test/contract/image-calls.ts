import { inUnknownFraming, type Call } from './call.js';

export const imageOperations = [
  'getImageOptions',
  'readImage',
  'headImage',
  'writeImage',
  'patchImage',
  'listImageExtents',
  'getImageChecksum',
  'listBlockDigests',
  'listChecksumAlgorithms',
  'getReceipt',
  'listReceivedRanges',
  'preflightImage',
  'listImageJobs',
  'getImageJob',
  'cancelImageJob',
  'followImageJob',
  'listJobDigests',
  'followTicket',
] as const;

export type ImageOperation = (typeof imageOperations)[number];

/** Has answers to changes of an image tell all that they may. */
const asking = 'Upload-Parallel: ?1';

const json = (body: object): Pick<Call, 'body' | 'headers'> => ({
  body: JSON.stringify(body),
  headers: ['Content-Type: application/json', asking],
});

/** A plain call of each operation on an image of at least 4 KiB. */
export const plainCalls: Readonly<Record<ImageOperation, Omit<Call, 'path'> & { readonly suffix?: string }>> =
  {
    getImageOptions: { method: 'OPTIONS' },
    readImage: { method: 'GET' },
    headImage: { method: 'HEAD' },
    writeImage: { method: 'PUT', headers: ['Content-Range: bytes 100-103/*', asking], body: 'data' },
    patchImage: { method: 'PATCH', ...json({ op: 'zero', offset: 0, size: 4096 }) },
    listImageExtents: { method: 'GET', suffix: '/extents' },
    getImageChecksum: { method: 'GET', suffix: '/checksum' },
    listBlockDigests: { method: 'GET', suffix: '/digests' },
    listChecksumAlgorithms: { method: 'GET', suffix: '/checksum/algorithms' },
    getReceipt: { method: 'GET', suffix: '/receipt' },
    listReceivedRanges: { method: 'GET', suffix: '/ranges' },
    preflightImage: { method: 'GET', suffix: '/preflight' },
    listImageJobs: { method: 'GET', suffix: '/jobs' },
    // The first job of the image must have been begun before.
    getImageJob: { method: 'GET', suffix: '/jobs/1' },
    cancelImageJob: { method: 'DELETE', suffix: '/jobs/1' },
    followImageJob: { method: 'GET', suffix: '/jobs/1/events' },
    // The second one must be of digests, and have ended.
    listJobDigests: { method: 'GET', suffix: '/jobs/2/digests' },
    followTicket: { method: 'GET', suffix: '/events' },
  };

const asJob = 'Prefer: respond-async';

type Change = Partial<Omit<Call, 'method' | 'path'>> & { readonly suffix?: string };

/** How each plain call is changed so that a good service gives it this status, whatever the ticket. */
export const changes: Readonly<Record<number, Partial<Record<ImageOperation, Change>>>> = {
  202: {
    patchImage: { headers: ['Content-Type: application/json', asking, asJob] },
    getImageChecksum: { headers: [asJob] },
    getReceipt: { headers: [asJob] },
    listBlockDigests: { headers: [asJob] },
  },
  206: {
    readImage: { headers: ['Range: bytes=0-99', 'Want-Content-Digest: sha-256=1'] },
    headImage: { headers: ['Range: bytes=-100'] },
  },
  400: {
    readImage: { suffix: '?close=perhaps' },
    headImage: { suffix: '?close=perhaps' },
    writeImage: { headers: [`Content-Digest: sha-256=:${'A'.repeat(43)}=:`, asking] },
    patchImage: json({ op: 'zero' }),
    listImageExtents: { suffix: '/extents?context=none' },
    getImageChecksum: { suffix: '/checksum?algorithm=none' },
    getReceipt: { suffix: '/receipt?block_size=1' },
    listReceivedRanges: { suffix: '/ranges?state=none' },
    preflightImage: { suffix: '/preflight?op=both' },
    listBlockDigests: { suffix: '/digests?start=1' },
  },
  404: {
    listImageExtents: { suffix: '/extents?context=dirty' },
    getImageJob: { suffix: '/jobs/999' },
    cancelImageJob: { suffix: '/jobs/999' },
    followImageJob: { suffix: '/jobs/999/events' },
    listJobDigests: { suffix: '/jobs/999/digests' },
  },
  408: { writeImage: { body: 'begun', stalls: true }, patchImage: { body: '{', stalls: true } },
  409: {
    getImageChecksum: { suffix: '/checksum?expect=00' },
    listJobDigests: { suffix: '/jobs/1/digests' },
  },
  413: { patchImage: { body: `"${'x'.repeat(65_536)}"` } },
  415: {
    writeImage: { headers: ['Content-Type: multipart/form-data; boundary=x'] },
    patchImage: { headers: ['Content-Encoding: gzip'] },
  },
  416: {
    readImage: { headers: ['Range: bytes=0-999999999'] },
    headImage: { headers: ['Range: bytes=0-999999999'] },
    writeImage: { headers: ['Content-Range: bytes 999999999-1000000002/*', asking] },
    patchImage: json({ op: 'zero', offset: 999_999_999, size: 4096 }),
    listBlockDigests: { suffix: '/digests?start=1073741824' },
  },
  507: {
    writeImage: { headers: [asking], body: 'x'.repeat(3 * 1024 * 1024) },
    patchImage: json({ op: 'zero', offset: 0, size: 16 * 1024 * 1024 }),
  },
};

/** Operations of which nothing but the id can be malformed. */
const onlyIds: readonly ImageOperation[] = [
  'getImageOptions',
  'listChecksumAlgorithms',
  'listImageJobs',
  'getImageJob',
  'cancelImageJob',
  'followImageJob',
  'listJobDigests',
  'followTicket',
];

/** Whether nothing but the id can be malformed. */
export function hasOnlyId(operation: ImageOperation): boolean {
  return onlyIds.includes(operation);
}

/** The call of an operation on an image, such that a good service answers with `status`. */
export function imageCall(
  operation: ImageOperation,
  path: string,
  status = 200,
  headers: readonly string[] = [],
): Call {
  const { suffix = '', ...call } = { ...plainCalls[operation], ...changes[status]?.[operation] };
  const tooLarge = status === 431 ? [`X-Padding: ${'x'.repeat(16 * 1024)}`] : [];
  const made = {
    ...call,
    path: `${path}${suffix}`,
    headers: [...(call.headers ?? []), ...headers, ...tooLarge],
  };
  return status === 501 ? inUnknownFraming(made) : made;
}

/**
 * Begins the jobs of an image that other calls ask for: a zero, and digests, which have ended then.
 * @param path of the image
 */
export async function beginJobs(
  path: string,
  headers: readonly string[],
  send: (call: Call) => Promise<unknown>,
): Promise<void> {
  await send(imageCall('patchImage', path, 202, headers));
  await send(imageCall('listBlockDigests', path, 202, headers));
  // The answer ends with the job.
  await send({ method: 'GET', path: `${path}/jobs/2/events`, headers });
}
