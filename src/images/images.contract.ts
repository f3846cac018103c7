import { applyDecorators } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiBody,
  ApiExcludeEndpoint,
  ApiForbiddenResponse,
  ApiHeader,
  ApiInternalServerErrorResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import { errorContent } from '../http/contract.js';
import {
  ChecksumAlgorithmsDto,
  ChecksumDto,
  ExtentDto,
  ImageOptionsDto,
  ImagePatchDto,
} from './image.dto.js';

/** How the contract describes the images API, apart from the routes so that those stay readable. */
export const ImagesApi = (): ClassDecorator => ApiTags('images');

/** Routes that exist to refuse: not part of the contract. */
export const Hidden = (): MethodDecorator => ApiExcludeEndpoint();

const binary = { type: 'string', format: 'binary' } as const;

const idParam = ApiParam({
  name: 'id',
  description: 'Id of the ticket, percent-encoded. Knowing it is the permission.',
  example: '2b2cf4d3-1c4c-4f6c-9f7e-6e8f3d0c5b11',
});

const commonErrors = applyDecorators(
  ApiForbiddenResponse({
    description:
      'No such ticket, or it expired, was canceled or forbids the operation. The connection is closed.',
    content: errorContent('You are not allowed to access this resource: No such ticket'),
  }),
  ApiInternalServerErrorResponse({
    description: 'Storage failed; the log of the service says how',
    content: errorContent('Opening the image failed'),
  }),
  ApiServiceUnavailableResponse({
    description: 'The service is stopping or at a limit; see Retry-After',
    content: errorContent('The service is stopping'),
  }),
);

const badRequest = (text: string): MethodDecorator =>
  ApiBadRequestResponse({ description: 'The request is malformed', content: errorContent(text) });

const rangeError = ApiResponse({
  status: 416,
  description:
    'Outside of what the ticket or the image has, or not one valid range. Content-Range tells the size that was exceeded.',
  headers: {
    'Content-Range': {
      description: 'The size that was exceeded',
      schema: { type: 'string', example: 'bytes */1073741824' },
    },
  },
  content: errorContent('range end 1073741825 > ticket size 1073741824'),
});

const noSpace = ApiResponse({
  status: 507,
  description: 'The storage has no room left',
  content: errorContent('No space left on the storage of this image'),
});

const downloadHeaders = {
  'Content-Length': {
    description: 'Exact length of the body in bytes',
    schema: { type: 'integer', format: 'int64', minimum: 0 },
  },
  'Accept-Ranges': { description: 'Always bytes', schema: { type: 'string', example: 'bytes' } },
  'Content-Disposition': {
    description: 'attachment, with the file name of the ticket',
    schema: { type: 'string', example: 'attachment; filename="disk.raw"' },
  },
} as const;

const partHeaders = {
  ...downloadHeaders,
  'Content-Range': {
    description: 'Which bytes these are, and the size of the ticket',
    schema: { type: 'string', example: 'bytes 0-65535/1073741824' },
  },
} as const;

const closeQuery = ApiQuery({
  name: 'close',
  required: false,
  enum: ['y', 'n'],
  description: 'y: close the connection after the response',
});
const rangeHeader = ApiHeader({
  name: 'Range',
  required: false,
  description: 'One byte range (RFC 9110 section 14.2). A last byte past the end is refused, not clipped.',
  schema: { type: 'string', example: 'bytes=0-65535' },
});

export const ImageOptions = (): MethodDecorator =>
  applyDecorators(
    ApiOperation({
      operationId: 'getImageOptions',
      summary: 'What can be done with the image',
      description:
        'Every client asks this first. The id `*` asks for the service itself and needs no ticket. Extends the ticket.',
    }),
    idParam,
    ApiOkResponse({
      type: ImageOptionsDto,
      description: 'Features and connection limits',
      headers: {
        Allow: {
          description: 'Methods that the ticket allows',
          schema: { type: 'string', example: 'OPTIONS,GET,PUT,PATCH' },
        },
      },
    }),
    badRequest('Ticket id is required'),
    commonErrors,
  );

export const ReadImage = (): MethodDecorator =>
  applyDecorators(
    ApiOperation({
      operationId: 'readImage',
      summary: 'Download the image or a range of it',
      description:
        'Resume a broken download with `Range: bytes=N-`. A body shorter than Content-Length means that reading failed: ask for the rest again.',
    }),
    idParam,
    closeQuery,
    rangeHeader,
    ApiResponse({
      status: 200,
      description: 'The whole image',
      headers: downloadHeaders,
      content: { 'application/octet-stream': { schema: binary } },
    }),
    ApiResponse({
      status: 206,
      description: 'The range',
      headers: partHeaders,
      content: { 'application/octet-stream': { schema: binary } },
    }),
    badRequest('Invalid close, expected y or n'),
    rangeError,
    commonErrors,
  );

export const HeadImage = (): MethodDecorator =>
  applyDecorators(
    ApiOperation({ operationId: 'headImage', summary: 'The headers of a download' }),
    idParam,
    closeQuery,
    rangeHeader,
    ApiResponse({ status: 200, description: 'The whole image', headers: downloadHeaders }),
    ApiResponse({ status: 206, description: 'The range', headers: partHeaders }),
    ApiResponse({ status: 400, description: 'The request is malformed' }),
    ApiResponse({ status: 403, description: 'No such ticket, or it expired or was canceled' }),
    ApiResponse({ status: 416, description: 'Outside of what the ticket or the image has' }),
    ApiResponse({ status: 500, description: 'Storage failed' }),
    ApiResponse({ status: 503, description: 'The service is stopping or at a limit' }),
  );

export const WriteImage = (): MethodDecorator =>
  applyDecorators(
    ApiOperation({
      operationId: 'writeImage',
      summary: 'Upload the image or a range of it',
      description:
        'The body is written from the first byte of Content-Range on, 0 without it. Any offset and length work; neighbouring bytes never change. ' +
        'After 200 with flush=y the data is on stable storage. When the connection breaks nothing is known of the last bytes: send the range again.',
    }),
    idParam,
    ApiQuery({
      name: 'flush',
      required: false,
      enum: ['y', 'n'],
      description: 'n: do not wait for stable storage; flush later with PATCH',
    }),
    closeQuery,
    ApiHeader({
      name: 'Content-Range',
      required: false,
      description: 'Where the body starts. Last byte and total may be *.',
      schema: { type: 'string', example: 'bytes 0-65535/*' },
    }),
    ApiBody({ description: 'Image data. Content-Length or chunked.', schema: binary }),
    ApiOkResponse({ description: 'Written' }),
    badRequest('Invalid Content-Range, expected bytes first-last/total'),
    ApiResponse({
      status: 408,
      description: 'The body came too slowly',
      content: errorContent('Client was silent for 60 seconds'),
    }),
    rangeError,
    noSpace,
    commonErrors,
  );

export const PatchImage = (): MethodDecorator =>
  applyDecorators(
    ApiOperation({
      operationId: 'patchImage',
      summary: 'Zero a range, or flush',
      description:
        'zero deallocates the range if the ticket is sparse, else it stays allocated. flush answers when everything written is on stable storage.',
    }),
    idParam,
    ApiBody({ type: ImagePatchDto }),
    ApiOkResponse({ description: 'Done' }),
    badRequest('Invalid image operation: op must be "zero" or "flush"'),
    ApiResponse({
      status: 413,
      description: 'The body is larger than 64 KiB',
      content: errorContent('Request body is larger than the limit of 65536 bytes'),
    }),
    rangeError,
    noSpace,
    commonErrors,
  );

export const ImageExtents = (): MethodDecorator =>
  applyDecorators(
    ApiOperation({
      operationId: 'listImageExtents',
      summary: 'Which parts of the image are data, zero, holes or dirty',
      description: 'In order, without gaps; the lengths add up to the size of the image.',
    }),
    idParam,
    ApiQuery({
      name: 'context',
      required: false,
      enum: ['zero', 'dirty'],
      description: 'What to tell of each extent',
    }),
    ApiOkResponse({ description: 'The extents', type: [ExtentDto] }),
    badRequest('Invalid context, expected zero or dirty'),
    ApiNotFoundResponse({
      description: 'The ticket or the image has no dirty extents',
      content: errorContent('Ticket has no dirty extents'),
    }),
    commonErrors,
  );

export const ImageChecksum = (): MethodDecorator =>
  applyDecorators(
    ApiOperation({
      operationId: 'getImageChecksum',
      summary: 'Checksum of the image',
      description:
        'The hash of the concatenated hashes of the blocks of the image, so that holes need not be read.',
    }),
    idParam,
    ApiQuery({
      name: 'algorithm',
      required: false,
      schema: { type: 'string', default: 'blake2b' },
      description: 'One of /checksum/algorithms',
    }),
    ApiQuery({
      name: 'block_size',
      required: false,
      schema: { type: 'integer', minimum: 1048576, maximum: 16777216, multipleOf: 4096, default: 4194304 },
      description: 'Bytes',
    }),
    ApiOkResponse({ description: 'The checksum', type: ChecksumDto }),
    badRequest("Unknown algorithm 'x', available: 'blake2b', 'sha256'"),
    commonErrors,
  );

export const ImageChecksumAlgorithms = (): MethodDecorator =>
  applyDecorators(
    ApiOperation({
      operationId: 'listChecksumAlgorithms',
      summary: 'Checksum algorithms of this service',
      description: 'Needs no ticket.',
    }),
    idParam,
    ApiOkResponse({ description: 'The algorithms', type: ChecksumAlgorithmsDto }),
  );
