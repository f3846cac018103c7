import { applyDecorators } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiBody,
  ApiForbiddenResponse,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiSecurity,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { errorContent } from '../http/contract.js';
import { signedTicketSecurityName } from '../sessions/signed-ticket.security.js';

/** How the contract describes the relayed images, apart from the routes so that those stay readable. */
export const RelayApi = (): ClassDecorator => ApiTags('images');

interface RelayedOperation {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
}

/** What all of them have in common: how they are authorised, and what the proxy itself may answer. */
const relayed = (operation: RelayedOperation): MethodDecorator =>
  applyDecorators(
    ApiOperation(operation),
    // None of them is needed for a control ticket, whose id in the path is the permission.
    ApiSecurity(signedTicketSecurityName),
    ApiSecurity({}),
    ApiParam({
      name: 'id',
      description: 'Id of the transfer ticket, percent-encoded.',
      example: '2b2cf4d3-1c4c-4f6c-9f7e-6e8f3d0c5b11',
    }),
    ApiHeader({
      name: 'Session-Id',
      required: false,
      description: 'A session of POST /sessions/, instead of a signed ticket.',
      schema: { type: 'string', format: 'uuid' },
    }),
    ApiQuery({
      name: 'session_id',
      required: false,
      description: 'The same where a browser follows a link.',
      schema: { type: 'string', format: 'uuid' },
    }),
    ApiBadRequestResponse({
      description: 'The session is for another image; or malformed, and the daemon says why.',
      content: errorContent('Requested resource must match transfer ticket'),
    }),
    ApiUnauthorizedResponse({
      description: 'Nothing was shown, or a signed ticket that does not verify.',
      content: errorContent('No signed ticket and no session was shown'),
    }),
    ApiForbiddenResponse({
      description: 'The session or ticket has ended or forbids it. The connection is closed.',
      content: errorContent('You are not allowed to access this resource: Ticket expired'),
    }),
    ApiResponse({
      status: 502,
      description: 'The daemon refused the connection, is not to be trusted, or broke off.',
      content: errorContent('The host of the image refused the connection'),
    }),
    ApiResponse({
      status: 503,
      description: 'The daemon cannot be reached, or the proxy is at a limit or stopping; see Retry-After.',
      content: errorContent('The host of the image cannot be reached'),
    }),
    ApiResponse({
      status: 504,
      description: 'The daemon did not accept the connection, or did not answer, in time.',
      content: errorContent('The host of the image did not answer in time'),
    }),
  );

const binary = { type: 'string', format: 'binary' } as const;
const imageData = { 'application/octet-stream': { schema: binary } };
const json = (schema: object): { content: { 'application/json': { schema: object } } } => ({
  content: { 'application/json': { schema } },
});

const closeQuery = ApiQuery({
  name: 'close',
  required: false,
  enum: ['y', 'n'],
  description: 'y: close the connection after the response',
});
const rangeHeader = ApiHeader({
  name: 'Range',
  required: false,
  description: 'One byte range',
  schema: { type: 'string', example: 'bytes=0-65535' },
});
const rangeError = ApiResponse({
  status: 416,
  description: 'Outside of what the ticket or the image has. Content-Range tells the size that was exceeded.',
  content: errorContent('range end 1073741825 > ticket size 1073741824'),
});

export const RelayedOptions = (): MethodDecorator =>
  applyDecorators(
    relayed({
      operationId: 'getImageOptions',
      summary: 'What can be done with the image',
      description: 'Every client asks this first. A CORS preflight is answered without a credential.',
    }),
    ApiOkResponse({
      description: 'Features and connection limits; `Allow` has the methods that the ticket allows.',
      ...json({
        type: 'object',
        required: ['features'],
        properties: {
          features: {
            type: 'array',
            items: { type: 'string', enum: ['checksum', 'extents', 'flush', 'zero'] },
          },
          max_readers: { type: 'integer', minimum: 1, example: 8 },
          max_writers: { type: 'integer', minimum: 1, example: 1 },
        },
      }),
    }),
  );

export const RelayedRead = (): MethodDecorator =>
  applyDecorators(
    relayed({
      operationId: 'readImage',
      summary: 'Download the image or a range of it',
      description:
        'Resume a broken download with `Range: bytes=N-`. A body shorter than Content-Length means that reading failed: ask for the rest.',
    }),
    closeQuery,
    rangeHeader,
    ApiResponse({ status: 200, description: 'The whole image', content: imageData }),
    ApiResponse({ status: 206, description: 'The range', content: imageData }),
    rangeError,
  );

export const RelayedHead = (): MethodDecorator =>
  applyDecorators(
    relayed({
      operationId: 'headImage',
      summary: 'The headers of a download',
      description: 'The same as a download without its body.',
    }),
    rangeHeader,
    ApiResponse({ status: 200, description: 'The whole image' }),
    ApiResponse({ status: 206, description: 'The range' }),
  );

export const RelayedWrite = (): MethodDecorator =>
  applyDecorators(
    relayed({
      operationId: 'writeImage',
      summary: 'Upload the image or a range of it',
      description:
        'The body is written from the first byte of Content-Range on. When the connection breaks, or with a 5xx status, nothing is known of the last bytes: send the range again.',
    }),
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
    rangeError,
  );

export const RelayedPatch = (): MethodDecorator =>
  applyDecorators(
    relayed({
      operationId: 'patchImage',
      summary: 'Zero a range, or flush',
      description: 'The body is JSON, whatever its Content-Type.',
    }),
    ApiBody({
      schema: {
        type: 'object',
        required: ['op'],
        properties: {
          op: { type: 'string', enum: ['zero', 'flush'] },
          offset: { type: 'integer', format: 'int64', minimum: 0, description: 'zero: bytes, default 0' },
          size: { type: 'integer', format: 'int64', minimum: 0, description: 'zero: bytes' },
          flush: { type: 'boolean', default: false },
        },
      },
    }),
    ApiOkResponse({ description: 'Done' }),
    rangeError,
  );

export const RelayedExtents = (): MethodDecorator =>
  applyDecorators(
    relayed({
      operationId: 'listImageExtents',
      summary: 'Which parts of the image are data, zero, holes or dirty',
      description: 'In order, without gaps; the lengths add up to the size of the image.',
    }),
    ApiQuery({ name: 'context', required: false, enum: ['zero', 'dirty'] }),
    ApiOkResponse({
      description: 'The extents',
      ...json({
        type: 'array',
        items: {
          type: 'object',
          required: ['start', 'length', 'zero'],
          properties: {
            start: { type: 'integer', format: 'int64', minimum: 0 },
            length: { type: 'integer', format: 'int64', minimum: 1 },
            zero: { type: 'boolean' },
            hole: { type: 'boolean' },
            dirty: { type: 'boolean' },
          },
        },
      }),
    }),
  );

export const RelayedChecksum = (): MethodDecorator =>
  applyDecorators(
    relayed({
      operationId: 'getImageChecksum',
      summary: 'Checksum of the image',
      description: 'The hash of the concatenated hashes of the blocks of the image.',
    }),
    ApiQuery({ name: 'algorithm', required: false, schema: { type: 'string', default: 'blake2b' } }),
    ApiQuery({ name: 'block_size', required: false, schema: { type: 'integer', default: 4194304 } }),
    ApiOkResponse({
      description: 'The checksum',
      ...json({
        type: 'object',
        required: ['algorithm', 'block_size', 'checksum'],
        properties: {
          algorithm: { type: 'string', example: 'blake2b' },
          block_size: { type: 'integer', example: 4194304 },
          checksum: { type: 'string', pattern: '^[0-9a-f]+$' },
        },
      }),
    }),
  );

export const RelayedChecksumAlgorithms = (): MethodDecorator =>
  applyDecorators(
    relayed({
      operationId: 'listChecksumAlgorithms',
      summary: 'Checksum algorithms of the daemon that has the image',
      description: 'Through the proxy it needs a permission, which says which daemon that is.',
    }),
    ApiOkResponse({
      description: 'The algorithms',
      ...json({
        type: 'object',
        required: ['algorithms'],
        properties: { algorithms: { type: 'array', items: { type: 'string' } } },
      }),
    }),
  );
