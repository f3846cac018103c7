import { ApiHeader } from './decorators.js';
import type { ResponseHeaders } from './refusals.js';

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
    example: 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
  },
});
