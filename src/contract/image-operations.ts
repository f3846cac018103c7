import { applyDecorators } from '@nestjs/common';
import type { ApiOperationOptions } from '@nestjs/swagger';
import {
  ApiBody,
  ApiConsumes,
  ApiExtraModels,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  getSchemaPath,
} from './decorators.js';
import { mayBeJob } from './begun-job.js';
import type { SchemaObject } from './schemas.js';
import {
  allowHeader,
  contentDigestHeader,
  contentDigestParameter,
  contentRangeParameter,
  downloadHeaders,
  exceededRange,
  nextPageHeader,
  partHeaders,
  rangeParameter,
  uploadHeaders,
  uploadParallelParameter,
  wantContentDigestParameter,
} from './image-headers.js';
import {
  BlockDigestDto,
  ChecksumAlgorithmsDto,
  ChecksumDto,
  ExtentDto,
  FlushOperationDto,
  ImageOptionsDto,
  ZeroOperationDto,
} from './image.dto.js';
import {
  bodilessRefusal,
  codedBodyArguments,
  headRefusals,
  headRefusalsWithoutBody,
  refusal,
  type ResponseHeaders,
} from './refusals.js';
import { TicketProgressDto } from './event.dto.js';
import { PreflightDto } from './preflight.dto.js';
import { ReceivedRangesDto } from './ranges.dto.js';
import { ReceiptClaimsDto, ReceiptDto } from './receipt.dto.js';
import {
  byteCount,
  imageData,
  imageOperationBytesMax,
  ticketIdCharactersMax,
  ticketIdExample,
} from './schemas.js';

/**
 * How the contracts of daemon and proxy describe the images API, apart from the routes so that those stay
 * readable. The operations are the same; who may use them and what can go wrong on the way differs, and is
 * each role's own.
 */
export interface ImageAccess {
  /** Credentials and refusals of every operation. */
  readonly anyOperation: MethodDecorator;
  /** The same for an operation that changes the image, whose refusals tell how far that is. */
  readonly anyChange: MethodDecorator;
  /** The same for an operation that answers although the storage fails. */
  readonly anyStorage: MethodDecorator;
  /** The same for HEAD, whose refusals have no body. */
  readonly head: MethodDecorator;
  /** Headers of every success. */
  readonly headers: ResponseHeaders;
  /** Headers that any refusal may have. */
  readonly refusalHeaders: ResponseHeaders;
  /** Whether an operation that needs no ticket at the daemon needs a credential all the same. */
  readonly algorithms: MethodDecorator;
}

/** Components that have no class: with a name of its own a choice becomes one type in generated clients. */
export const imageSchemas: Readonly<Record<string, SchemaObject>> = {
  ImageOperation: {
    description: 'What to do with an image; `op` says which operation it is.',
    // Tools that make an example of the schema take the first.
    oneOf: [{ $ref: getSchemaPath(FlushOperationDto) }, { $ref: getSchemaPath(ZeroOperationDto) }],
    discriminator: {
      propertyName: 'op',
      mapping: { flush: getSchemaPath(FlushOperationDto), zero: getSchemaPath(ZeroOperationDto) },
    },
  },
};

/** The name of the group of operations. */
export const imagesTag = 'images';

/** What the contracts say of the whole group. */
export const imagesGroup = {
  name: imagesTag,
  description:
    'Download, upload, zero, flush, extents and checksums of an image. Answers are data and never a ' +
    'page, whatever an image holds: they say `X-Content-Type-Options: nosniff` and ' +
    '`Content-Security-Policy: sandbox`.',
} as const;

const idParameter = ApiParam({
  name: 'id',
  description:
    'Id of the ticket, percent-encoded. At a daemon knowing it is the permission, so it is a secret.',
  schema: { type: 'string', minLength: 1, maxLength: ticketIdCharactersMax },
  example: ticketIdExample,
});

const closeParameter = ApiQuery({
  name: 'close',
  required: false,
  description: '`y`: close the connection after the response.',
  schema: { type: 'string', enum: ['y', 'n'], default: 'n' },
});

const rangeRefused = (access: ImageAccess): MethodDecorator =>
  refusal(
    416,
    'Outside of what the ticket or the image has, or not one valid range. Nothing was transferred.',
    'range end 1073741825 > ticket size 1073741824',
    { ...exceededRange, ...access.refusalHeaders },
  );

const noSpace = (access: ImageAccess): MethodDecorator =>
  refusal(
    507,
    'The storage has no room left. After it was extended the same request may succeed.',
    'No space left on the storage of this image',
    access.refusalHeaders,
  );

const tooSlow = (access: ImageAccess): MethodDecorator =>
  refusal(
    408,
    'The body stopped arriving for longer than the inactivity timeout of the ticket. The connection is ' +
      'closed.',
    'Client was silent for 60 seconds',
    access.refusalHeaders,
  );

const bodyTooLarge = (access: ImageAccess): MethodDecorator =>
  refusal(
    413,
    'The body is larger than 4 KiB.',
    `Request body is larger than the limit of ${imageOperationBytesMax} bytes`,
    access.refusalHeaders,
  );

/** As an operation that changes the image has it: all answers may tell how far that is. */
const changing = (access: ImageAccess): ImageAccess => ({
  ...access,
  anyOperation: access.anyChange,
  headers: { ...access.headers, ...uploadHeaders },
  refusalHeaders: { ...access.refusalHeaders, ...uploadHeaders },
});

/** What every operation of an image has, and its name and credentials. */
export const operation = (options: ApiOperationOptions, access: MethodDecorator): MethodDecorator =>
  applyDecorators(ApiOperation(options), idParameter, access, headRefusals);

export const ImageOptions = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'What can be done with the image',
        description:
          'What every client asks first: features, and how many connections are of use. The id `*` asks ' +
          'for the service itself and needs no ticket. Counts as activity: the ticket is extended.',
      },
      access.anyOperation,
    ),
    refusal(400, 'The request is malformed.', 'Ticket id is required', access.refusalHeaders),
    ApiOkResponse({
      type: ImageOptionsDto,
      description: 'Features and connection limits.',
      headers: { ...allowHeader, ...access.headers },
    }),
  );

export const ReadImage = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'Download the image or a range of it',
        description:
          'Streams the image, or one `Range` of it. Without a range as many bytes are sent as ticket and ' +
          'image both have.\n\n' +
          '**Resume** a broken download with `Range: bytes=N-`, N being the bytes you have. A body ' +
          'shorter than `Content-Length` means that reading failed or the ticket was canceled after the ' +
          'response had begun: the connection is cut, never wrong bytes are sent. Any range may be read ' +
          'again, and several at once on connections of their own (`max_readers`).\n\n' +
          '**Proof**: with `Want-Content-Digest` a short range comes with the digest of what was read from ' +
          'the image.',
      },
      access.anyOperation,
    ),
    closeParameter,
    rangeParameter,
    wantContentDigestParameter,
    refusal(400, 'The request is malformed.', 'Invalid close, expected y or n', access.refusalHeaders),
    ApiResponse({
      status: 200,
      description: 'The whole image.',
      headers: { ...downloadHeaders, ...contentDigestHeader, ...access.headers },
      content: imageData,
    }),
    ApiResponse({
      status: 206,
      description: 'The range.',
      headers: { ...partHeaders, ...contentDigestHeader, ...access.headers },
      content: imageData,
    }),
    rangeRefused(access),
  );

export const HeadImage = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    ApiOperation({
      summary: 'The headers of a download',
      description: 'Answers like a download, without its body: `Content-Length` tells the size.',
    }),
    idParameter,
    access.head,
    headRefusalsWithoutBody,
    closeParameter,
    rangeParameter,
    bodilessRefusal(400, 'The request is malformed.', access.refusalHeaders),
    ApiResponse({
      status: 200,
      description: 'The headers for the whole image.',
      headers: { ...downloadHeaders, ...access.headers },
    }),
    ApiResponse({
      status: 206,
      description: 'The headers for the range.',
      headers: { ...partHeaders, ...access.headers },
    }),
    bodilessRefusal(416, 'Outside of what the ticket or the image has, or not one valid range.', {
      ...exceededRange,
      ...access.refusalHeaders,
    }),
  );

const blockSizeSchema = {
  type: 'integer',
  format: 'int32',
  minimum: 1_048_576,
  maximum: 16_777_216,
  multipleOf: 4096,
  default: 4_194_304,
} as const;

export const WriteImage = (role: ImageAccess): MethodDecorator => {
  const access = changing(role);
  return applyDecorators(
    operation(
      {
        summary: 'Upload the image or a range of it',
        description:
          'Writes the body from the first byte of `Content-Range` on. Any offset and length work; ' +
          'neighbouring bytes never change.\n\n' +
          '**Length**: `Content-Length`, or `Transfer-Encoding: chunked`, which ends where it ends; past ' +
          'the size of the ticket nothing is written.\n\n' +
          '**Durability**: after 200 with `flush=y`, the default, the data is on stable storage. To ' +
          'upload in pieces send `flush=n` with each and flush once at the end.\n\n' +
          '**Retry**: after a broken connection or a 5xx status nothing is known of the bytes of that ' +
          'request: send the range again, which is always safe. Ask the owner of the ticket for the ' +
          'bytes transferred to resume after a pause.\n\n' +
          '**Overlap**: where requests that run at the same time write the same bytes, those of the ' +
          'request that began last stay, so a stalled request never undoes its repetition.\n\n' +
          '**Refusals** come before the body with `Expect: 100-continue`; otherwise the connection is ' +
          'closed after one, as is always done when a body was not read to its end.',
      },
      access.anyOperation,
    ),
    ApiQuery({
      name: 'flush',
      required: false,
      description: '`n`: do not wait for stable storage; flush later with PATCH.',
      schema: { type: 'string', enum: ['y', 'n'], default: 'y' },
    }),
    ApiQuery({
      name: 'digests',
      required: false,
      description:
        'A checksum algorithm, by which whole blocks of the body are hashed while they arrive. ' +
        'Their digests are kept while nothing changes them, so that `checksum` and `digests` need not ' +
        'read these blocks.',
      schema: { type: 'string', maxLength: 100 },
    }),
    ApiQuery({
      name: 'block_size',
      required: false,
      description: 'With `digests`: bytes of a block, a multiple of 4096 from 1 MiB to 16 MiB.',
      schema: blockSizeSchema,
    }),
    closeParameter,
    contentRangeParameter,
    contentDigestParameter,
    uploadParallelParameter,
    ApiConsumes('application/octet-stream'),
    ApiBody({
      description: 'Image data, streamed. Any `Content-Type` will do, except `multipart/*`.',
      required: true,
      schema: imageData['application/octet-stream'].schema,
    }),
    ApiOkResponse({ description: 'Written.', headers: access.headers }),
    refusal(
      400,
      'The request is malformed, or the body is shorter than promised or does not match its digest.',
      'Invalid Content-Range, expected bytes first-last/total',
      access.refusalHeaders,
    ),
    tooSlow(access),
    refusal(
      415,
      'The body has a `Content-Encoding`, or is `multipart/*`: it would be written to the image as it is.',
      'multipart bodies are not supported, send the image data alone',
      access.refusalHeaders,
    ),
    rangeRefused(access),
    noSpace(access),
  );
};

export const PatchImage = (role: ImageAccess): MethodDecorator => {
  const access = changing(role);
  return applyDecorators(
    operation(
      {
        summary: 'Zero a range, or flush',
        description:
          '`zero` makes a range read as zeroes, efficiently where the storage can. `flush` answers when ' +
          'everything that was written is on stable storage. Both may be sent again after a failure. The ' +
          'body is read as JSON whatever its `Content-Type`; unknown keys are ignored. It is read only ' +
          'when ticket and credentials were found to be good: a malformed one for an unknown ticket is ' +
          '403.',
      },
      access.anyOperation,
    ),
    ApiExtraModels(ZeroOperationDto, FlushOperationDto),
    ApiBody({
      description: 'The operation, at most 4 KiB.',
      required: true,
      schema: { $ref: '#/components/schemas/ImageOperation' },
      examples: {
        // Pages that try out operations fill in the first one: it must do no harm to an image.
        flush: { summary: 'Flush', value: { op: 'flush' } },
        zero: {
          summary: 'Zero one MiB at 4 KiB',
          value: { op: 'zero', offset: 4096, size: 1_048_576, flush: false },
        },
      },
    }),
    mayBeJob(access.headers),
    uploadParallelParameter,
    ApiOkResponse({ description: 'Done.', headers: access.headers }),
    refusal(
      400,
      'The operation is malformed; the text names the key.',
      'Invalid image operation: size is required for zero',
      access.refusalHeaders,
    ),
    tooSlow(access),
    bodyTooLarge(access),
    refusal(...codedBodyArguments, access.refusalHeaders),
    rangeRefused(access),
    noSpace(access),
  );
};

const extentExamples = {
  zero: {
    summary: 'Zero context',
    value: [
      { start: 0, length: 65_536, zero: false, hole: false },
      { start: 65_536, length: 1_073_676_288, zero: true, hole: false },
    ],
  },
  dirty: {
    summary: 'Dirty context',
    value: [
      { start: 0, length: 65_536, dirty: true, zero: false },
      { start: 65_536, length: 1_073_676_288, dirty: false, zero: false },
    ],
  },
};

const earlyHeadDescription =
  'When that takes more than a second the head of a 200 leaves, and then white space until there is a ' +
  'result: a failure after that cuts the connection, so that the body is no whole JSON.';

export const ListExtents = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'Which parts of the image are data, zero, holes or dirty',
        description:
          'In order, without gaps, neighbours that are alike merged; the lengths add up to the size of ' +
          'the image. Reading only what is not zero makes copies fast. Long lists are streamed. ' +
          earlyHeadDescription,
      },
      access.anyOperation,
    ),
    ApiQuery({
      name: 'context',
      required: false,
      description:
        'What to tell of each extent: whether it reads as zeroes, or whether it changed since the ' +
        'checkpoint.',
      schema: { type: 'string', enum: ['zero', 'dirty'], default: 'zero' },
    }),
    ApiQuery({
      name: 'start',
      required: false,
      description: 'First byte; from the size on there are no extents.',
      schema: { ...byteCount, default: 0 },
    }),
    ApiQuery({
      name: 'length',
      required: false,
      description: 'How many bytes, by default all that follow. The last extent ends where these do.',
      schema: byteCount,
    }),
    ApiQuery({
      name: 'limit',
      required: false,
      description:
        'Answers with a page of at most so many extents, or 10 000. It may have fewer where storage is ' +
        'slow. When it is not the last, `Link` leads to the next.',
      schema: { ...byteCount, minimum: 1 },
    }),
    ApiOkResponse({
      description: 'The extents, or one of them in each line where `Accept` prefers that.',
      headers: { ...nextPageHeader, ...access.headers },
      content: {
        'application/json': {
          schema: {
            type: 'array',
            items: { $ref: getSchemaPath(ExtentDto) },
          },
          examples: extentExamples,
        },
        'application/x-ndjson': {
          schema: { type: 'string', description: 'Lines, each of them an `Extent`.' },
          example: extentExamples.zero.value.map((extent) => `${JSON.stringify(extent)}\n`).join(''),
        },
      },
    }),
    ApiExtraModels(ExtentDto),
    refusal(
      400,
      'The request is malformed.',
      'Invalid context, expected zero or dirty',
      access.refusalHeaders,
    ),
    refusal(
      404,
      'The ticket or the image has no dirty extents.',
      'Ticket has no dirty extents',
      access.refusalHeaders,
    ),
  );

const algorithmParameter = ApiQuery({
  name: 'algorithm',
  required: false,
  description: 'One of `/images/{id}/checksum/algorithms`.',
  schema: { type: 'string', default: 'blake2b', maxLength: 100 },
});

const blockSizeParameter = ApiQuery({
  name: 'block_size',
  required: false,
  description: 'Bytes of a block: a multiple of 4096 from 1 MiB to 16 MiB.',
  schema: blockSizeSchema,
});

export const GetChecksum = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'Checksum of the image',
        description:
          'Hashes each block of `block_size` bytes, the last may be shorter, and then the concatenated ' +
          'digests with the same algorithm. Blocks that are known to be zero are not read. blake2b and ' +
          'blake2s have digests of 32 bytes. Takes as long as reading the data. ' +
          earlyHeadDescription,
      },
      access.anyOperation,
    ),
    algorithmParameter,
    blockSizeParameter,
    mayBeJob(access.headers),
    ApiQuery({
      name: 'expect',
      required: false,
      description: 'What the checksum should be, in hexadecimal. Another one is 409.',
      schema: { type: 'string', pattern: '^([0-9a-fA-F]{2})+$', minLength: 2, maxLength: 256 },
    }),
    refusal(
      409,
      'The checksum is not what was expected; problem details have both. Compare the digests of the blocks ' +
        'with yours to find where they differ.',
      'The checksum is 0e57, not d7d8; the digests of the blocks tell where they differ',
      access.refusalHeaders,
    ),
    ApiOkResponse({ description: 'The checksum.', headers: access.headers, type: ChecksumDto }),
    refusal(
      400,
      'The request is malformed, or the algorithm is not known; the text names those that are.',
      "Unknown algorithm 'x', available: 'blake2b', 'sha256'",
      access.refusalHeaders,
    ),
  );

const receiptExample = {
  payload: 'eyJpYXQiOjE3OTUwMDAwMDB9',
  protected: 'eyJhbGciOiJQUzI1NiIsInR5cCI6ImltYWdlaW8tcmVjZWlwdCJ9',
  signature: 'bm90IGEgcmVhbCBzaWduYXR1cmU',
};

export const GetReceipt = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'Signed receipt of the image',
        description:
          'Size, checksum, time and what the ticket has made durable, signed with the key that the service ' +
          'has for TLS: to be kept beside a backup. `docs/transfers.md` says how to check one and what it ' +
          'proves. What is not durable yet the receipt says. It takes as long as a checksum. ' +
          earlyHeadDescription,
      },
      access.anyOperation,
    ),
    algorithmParameter,
    blockSizeParameter,
    mayBeJob(access.headers),
    ApiExtraModels(ReceiptDto, ReceiptClaimsDto),
    ApiOkResponse({
      description: 'The receipt.',
      headers: access.headers,
      content: {
        'application/jose+json': {
          schema: { $ref: getSchemaPath(ReceiptDto) },
          example: receiptExample,
        },
      },
    }),
    refusal(
      400,
      'The request is malformed, or the algorithm is not known; the text names those that are.',
      "Unknown algorithm 'x', available: 'blake2b', 'sha256'",
      access.refusalHeaders,
    ),
    refusal(
      404,
      'The service has no key that can sign, as without TLS. `extensions` has no `receipt` then.',
      'There are no receipts here: there is no TLS, so no key',
      access.refusalHeaders,
    ),
    refusal(
      409,
      'The image was changed meanwhile, so that there was no time when all of it was so.',
      'The image was changed while its receipt was made, ask again when nobody changes it',
      access.refusalHeaders,
    ),
  );

const digestsExample = [
  {
    start: 0,
    length: 4_194_304,
    digest: '8c4f1a9b0b7d4a3a1f0c4c5f6a5be4c1c0c6d4b6b8d9f7aa2f8a5e5f3b0a7c11',
  },
  {
    start: 4_194_304,
    length: 4_194_304,
    digest: 'fbc7b1d4b4d2dd7f0a5f3a5b6e5a3e0c0d8c3f1b5f2d6a7c9e1b4a8d7c6f5e40',
    zero: true,
  },
];

/** The answer of those that list digests of blocks. */
export const digestsAnswer = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    ApiOkResponse({
      description: 'The digests, or one of them in each line where `Accept` prefers that.',
      headers: access.headers,
      content: {
        'application/json': {
          schema: { type: 'array', items: { $ref: getSchemaPath(BlockDigestDto) } },
          example: digestsExample,
        },
        'application/x-ndjson': {
          schema: { type: 'string', description: 'Lines, each of them a `BlockDigest`.' },
          example: digestsExample.map((digest) => `${JSON.stringify(digest)}\n`).join(''),
        },
      },
    }),
    ApiExtraModels(BlockDigestDto),
  );

export const ListBlockDigests = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'Digests of the blocks of the image',
        description:
          'The digest of each block of `block_size` bytes in order, the last may be shorter. The ' +
          'checksum of the same `algorithm` and `block_size` is the hash of all of them, one after the ' +
          'other. Blocks that are known to be zero say so, and are not read. By comparing them with ' +
          'digests of your own you find which blocks differ, and send only those.\n\n' +
          'The head comes when the image is open, and each digest when it is known, within a second. When ' +
          'computing fails later the connection is cut: an incomplete list never ends well. As a job it ' +
          'keeps them, for `/jobs/{job}/digests`.',
      },
      access.anyOperation,
    ),
    algorithmParameter,
    blockSizeParameter,
    ApiQuery({
      name: 'start',
      required: false,
      description: 'First byte: a multiple of `block_size`.',
      schema: { ...byteCount, default: 0 },
    }),
    ApiQuery({
      name: 'length',
      required: false,
      description: 'How many bytes, by default all that follow. The last block ends where these do.',
      schema: byteCount,
    }),
    mayBeJob(access.headers),
    digestsAnswer(access),
    refusal(
      400,
      'The request is malformed, or the algorithm is not known; the text names those that are.',
      'Invalid start, expected a multiple of the block size',
      access.refusalHeaders,
    ),
    rangeRefused(access),
  );

export const ListChecksumAlgorithms = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'Checksum algorithms',
        description:
          'The algorithms that `checksum` takes. A daemon answers for any id, without a ticket; a proxy ' +
          'relays the question and so has to know for which daemon it is.',
      },
      access.algorithms,
    ),
    refusal(400, 'The request is malformed.', 'Invalid path', access.refusalHeaders),
    ApiOkResponse({ description: 'The algorithms.', headers: access.headers, type: ChecksumAlgorithmsDto }),
  );

/** Of the ranges of a ticket, wherever they are asked for. */
export const rangesQuery = applyDecorators(
  ApiQuery({
    name: 'state',
    required: false,
    description: '`durable`: only what a loss of power would not undo. `received`: all that is there.',
    schema: { type: 'string', enum: ['received', 'durable'], default: 'received' },
  }),
  ApiQuery({
    name: 'start',
    required: false,
    description: 'Ranges before this byte are left out; the `next` of the page before.',
    schema: { ...byteCount, default: 0 },
  }),
  ApiQuery({
    name: 'limit',
    required: false,
    description: 'Ranges of a page at most.',
    schema: { type: 'integer', format: 'int32', minimum: 1, maximum: 10_000, default: 1000 },
  }),
);

export const rangesExample = {
  size: 1_073_741_824,
  generation: 1,
  received_bytes: 8_388_608,
  durable_bytes: 4_194_304,
  ranges: [
    { start: 0, length: 4_194_304, state: 'durable', zero: false },
    { start: 4_194_304, length: 4_194_304, state: 'received', zero: true },
  ],
  next: null,
};

export const ListRanges = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'Which bytes of an upload are there',
        description:
          'What the ticket has brought to the image, so that a client that goes on after an interruption ' +
          'need not send it again. What is durable survives a loss of power. Where the service is not ' +
          'sure it says too little. The ticket is not prolonged.',
      },
      access.anyStorage,
    ),
    rangesQuery,
    ApiOkResponse({
      description: 'The ranges from `start` on, in order.',
      headers: access.headers,
      type: ReceivedRangesDto,
      example: rangesExample,
    }),
    refusal(
      400,
      'The request is malformed.',
      'Invalid state, expected received or durable',
      access.refusalHeaders,
    ),
  );

const preflightExample = {
  ok: false,
  op: 'write',
  ticket: { size: 1_073_741_824, expires_in: 299, inactivity_timeout: 60 },
  image: {
    size: 0,
    growable: true,
    block_size: 4096,
    allocated_bytes: 0,
    free_bytes: 536_870_912,
    reads_as_zero: true,
    dirty_extents: false,
    max_readers: 8,
    max_writers: 1,
  },
  findings: [
    {
      code: 'no_space',
      severity: 'error',
      message: 'The transfer may need 1073741824 more bytes, the storage has 536870912 free',
      advice: 'Make room on the storage, or have the ticket made sparse.',
    },
  ],
};

export const PreflightImage = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'What would fail, before it does',
        description:
          'Opens the image as a transfer would, closes it again and says what it found: permissions, ' +
          'sizes, room, block sizes, time left on the ticket, whether the target reads as zeroes. ' +
          'Nothing is changed, and the ticket is not prolonged. What is wrong with the storage is a ' +
          'finding in an answer of 200; storage that does not answer within `[limits] preflight_sec` is ' +
          'one too.',
      },
      access.anyStorage,
    ),
    ApiQuery({
      name: 'op',
      required: false,
      description: 'What is to be done; by default all that the ticket allows.',
      schema: { type: 'string', enum: ['read', 'write'] },
    }),
    ApiQuery({
      name: 'size',
      required: false,
      description: 'Bytes that are to be transferred; by default those of the ticket.',
      schema: byteCount,
    }),
    ApiQuery({
      name: 'format',
      required: false,
      description: 'Format of the data that the client has or expects, such as `raw` or `qcow2`.',
      schema: { type: 'string', pattern: '^[a-z0-9_-]{1,32}$', maxLength: 32, default: 'raw' },
    }),
    ApiOkResponse({
      description: 'What was found.',
      headers: access.headers,
      type: PreflightDto,
      example: preflightExample,
    }),
    refusal(400, 'The request is malformed.', 'Invalid op, expected read or write', access.refusalHeaders),
  );

const eventsExample = [
  'id: 5f0c4f0e-33a5-4b0c-9a53-0d0e7b0d3f5a-17\nevent: progress',
  'data: {"transferred":134217728,"received_bytes":134217728,"durable_bytes":67108864,"active":true,' +
    '"connections":4,"bytes_per_second":104857600}\n',
  ':\n',
  'id: 5f0c4f0e-33a5-4b0c-9a53-0d0e7b0d3f5a-18\nevent: flushed',
  'data: {"transferred":134217728,"received_bytes":134217728,"durable_bytes":134217728,"active":true,' +
    '"connections":4,"bytes_per_second":104857600}\n',
  'id: 5f0c4f0e-33a5-4b0c-9a53-0d0e7b0d3f5a-21\nevent: removed',
  'data: {"transferred":134217728,"received_bytes":134217728,"durable_bytes":134217728,"active":false,' +
    '"connections":0,"bytes_per_second":0}\n\n',
].join('\n');

/** Of the whole text. What the data of each event is, JSON Schema has the word `contentSchema` for. */
const eventsSchema: SchemaObject = Object.assign<SchemaObject, object>(
  { type: 'string' },
  { contentMediaType: 'application/json', contentSchema: { $ref: getSchemaPath(TicketProgressDto) } },
);

/** Headers of every stream of events. */
export const eventStreamHeaders: ResponseHeaders = {
  'Cache-Control': {
    description: 'The stream is never to be kept or changed on its way.',
    required: true,
    schema: { type: 'string', example: 'no-store, no-transform' },
  },
  'X-Accel-Buffering': {
    description: 'Proxies that know it do not collect the stream.',
    required: true,
    schema: { type: 'string', example: 'no' },
  },
};

export const FollowTicket = (access: ImageAccess): MethodDecorator =>
  applyDecorators(
    operation(
      {
        summary: 'What happens to the ticket, as it happens',
        description:
          'Server-sent events (HTML standard), instead of polling. The first one comes at once; then ' +
          '`progress`, on change and at most once a second, `flushed`, `extended`. The stream ends with ' +
          '`cancelled`, `expired` or `removed`, after which the ticket is of no use, or with `draining` ' +
          'when the service stops. The data of each is a `TicketProgress`. A comment each 15 s shows that ' +
          'the stream is alive. A client that reads too slowly gets the newest state, never a queue.\n\n' +
          'Following is no activity: the ticket is not extended, and its removal waits for nobody who ' +
          'follows.',
      },
      access.anyStorage,
    ),
    ApiExtraModels(TicketProgressDto),
    ApiHeader({
      name: 'Last-Event-ID',
      required: false,
      description:
        'The id of the newest event that the client has. Nothing is replayed; the first event is left out ' +
        'when the state is still that one.',
      schema: { type: 'string', maxLength: 200 },
    }),
    ApiOkResponse({
      description: 'The events, until the client leaves or the ticket ends.',
      headers: { ...access.headers, ...eventStreamHeaders },
      content: { 'text/event-stream': { schema: eventsSchema, example: eventsExample } },
    }),
    refusal(400, 'The request is malformed.', 'Invalid path', access.refusalHeaders),
  );
