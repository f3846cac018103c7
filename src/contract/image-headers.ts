import { ApiHeader } from './decorators.js';
import type { ResponseHeaders } from './refusals.js';

const digestExample = 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:';

const contentLength: ResponseHeaders = {
  'Content-Length': {
    description: 'Exact length of the body in bytes. Bodies of image data are never compressed or chunked.',
    required: true,
    schema: { type: 'integer', format: 'int64', minimum: 0, example: 65_536 },
  },
};

/** Headers of every download. */
export const downloadHeaders: ResponseHeaders = {
  ...contentLength,
  'Accept-Ranges': {
    description: 'Always `bytes`: any range can be asked for.',
    required: true,
    schema: { type: 'string', enum: ['bytes'], example: 'bytes' },
  },
  'Content-Disposition': {
    description: '`attachment`, with the file name of the ticket if it has one (RFC 6266, RFC 8187).',
    required: true,
    schema: { type: 'string', pattern: '^attachment', example: 'attachment; filename="disk.raw"' },
  },
};

/** Headers of a download of a range. */
export const partHeaders: ResponseHeaders = {
  ...downloadHeaders,
  'Content-Range': {
    description: 'Which bytes these are, and the size of the ticket.',
    required: true,
    schema: { type: 'string', pattern: '^bytes \\d+-\\d+/\\d+$', example: 'bytes 0-65535/1073741824' },
  },
};

/** Header of a download whose digest was wanted. */
export const contentDigestHeader: ResponseHeaders = {
  'Content-Digest': {
    description:
      'The digest of the body (RFC 9530), by the algorithm that `Want-Content-Digest` prefers; absent when ' +
      'it was not wanted, or the body is longer than `[limits] digest_range_bytes` (8 MiB).',
    schema: { type: 'string', pattern: '^sha-(256|512)=:[A-Za-z0-9+/]+=*:$', example: digestExample },
  },
};

/** Headers of every answer to a change of the image, for those who ask by `Upload-Parallel`. */
export const uploadHeaders: ResponseHeaders = {
  'Upload-Offset': {
    description:
      'With `Upload-Parallel: ?1`, once the ticket was found good: how many bytes from the first one on ' +
      'were received without a gap.',
    schema: {
      type: 'integer',
      format: 'int64',
      minimum: 0,
      maximum: 999_999_999_999_999,
      example: 1_048_576,
    },
  },
  'Upload-Received': {
    description:
      'With `Upload-Parallel: ?1`, once the ticket was found good: first byte and length of each range ' +
      'that was received, in order (a list of RFC 9651). At most the first 32; absent when there is none.',
    schema: {
      type: 'string',
      pattern: '^\\(\\d{1,15} \\d{1,15}\\)(, \\(\\d{1,15} \\d{1,15}\\)){0,31}$',
      example: '(0 1048576), (4194304 65536)',
    },
  },
};

/** Header of a refused range. */
export const exceededRange: ResponseHeaders = {
  'Content-Range': {
    description: 'The size that was exceeded, when that is the reason.',
    schema: { type: 'string', pattern: '^bytes \\*/\\d+$', example: 'bytes */1073741824' },
  },
};

/** Header of a list that is told in pages. */
export const nextPageHeader: ResponseHeaders = {
  Link: {
    description: 'The next page, relative to this request (RFC 8288); absent from the last one.',
    schema: {
      type: 'string',
      pattern: '^<\\?[^<>]*>; rel="next"$',
      example: '<?limit=1000&start=1073741824>; rel="next"',
    },
  },
};

export const allowHeader: ResponseHeaders = {
  Allow: {
    description: 'The methods that can be used, separated by commas.',
    required: true,
    schema: { type: 'string', example: 'OPTIONS,GET,PUT,PATCH' },
  },
};

export const rangeParameter = ApiHeader({
  name: 'Range',
  required: false,
  description:
    'One byte range (RFC 9110 section 14.2): `bytes=first-last`, `bytes=first-` or `bytes=-length`. ' +
    'Several ranges, and a last byte past the end, are refused with 416 and not clipped.',
  schema: { type: 'string', pattern: '^bytes=(\\d+-\\d*|-\\d+)$', example: 'bytes=0-65535' },
});

export const contentRangeParameter = ApiHeader({
  name: 'Content-Range',
  required: false,
  description:
    'Where the body starts: `bytes first-last/total`. Only the first byte counts; last byte and total ' +
    'may be `*`. Without it the body starts at byte 0.',
  schema: { type: 'string', pattern: '^bytes \\d+-(\\d+|\\*)/(\\d+|\\*)$', example: 'bytes 0-65535/*' },
});

export const contentDigestParameter = ApiHeader({
  name: 'Content-Digest',
  required: false,
  description:
    'The digest of the body (RFC 9530), by `sha-256` or `sha-512`; others are ignored. A body that does ' +
    'not match is refused. Behind a chunked body it comes as a trailer that `Trailer` announces.',
  schema: {
    type: 'string',
    maxLength: 1000,
    example: digestExample,
  },
});

export const wantContentDigestParameter = ApiHeader({
  name: 'Want-Content-Digest',
  required: false,
  description:
    'Asks for the digest of the body (RFC 9530): `sha-256` or `sha-512`, each with a preference from 1 to ' +
    '10. The answer has it in `Content-Digest` when its body has at most `[limits] digest_range_bytes` ' +
    '(8 MiB). What is not understood is ignored.',
  schema: { type: 'string', example: 'sha-256=10, sha-512=5' },
});

export const uploadParallelParameter = ApiHeader({
  name: 'Upload-Parallel',
  required: false,
  description:
    '`?1`: the answer, be it a refusal, has `Upload-Offset` and `Upload-Received`, and problem details ' +
    'have `durable_bytes` and `retryable`. Anything else is ignored.',
  schema: { type: 'string', example: '?1' },
});
