import { applyDecorators } from '@nestjs/common';
import type { ApiResponseNoStatusOptions, ApiResponseOptions } from '@nestjs/swagger';
import { ApiResponse, getSchemaPath } from './decorators.js';
import { ProblemDto } from './problem.dto.js';

export type ResponseHeaders = NonNullable<ApiResponseNoStatusOptions['headers']>;

/** Name of the component that describes a refusal as text. */
export const errorTextName = 'ErrorText';

/** The other form of a refusal: a line for people. */
export const errorTextSchema = {
  type: 'string',
  description:
    'Why a request was refused: a short text for people, ending in a newline. Its wording may change.',
  maxLength: 65_536,
  example: 'Invalid Content-Range, expected bytes first-last/total\n',
} as const;

/** The last part of `Problem.type` that goes with each status, for examples. */
export const codeOfStatus = {
  400: 'invalid_request',
  401: 'unauthenticated',
  403: 'not_allowed',
  404: 'not_found',
  408: 'client_timeout',
  409: 'conflict',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  416: 'range_not_satisfiable',
  429: 'too_many_failures',
  431: 'too_many_headers',
  500: 'storage_error',
  501: 'unsupported_transfer_coding',
  502: 'bad_gateway',
  503: 'unavailable',
  504: 'gateway_timeout',
  507: 'no_space',
} as const;

export type RefusalStatus = keyof typeof codeOfStatus;

const retryAfter: ResponseHeaders = {
  'Retry-After': {
    description: 'Seconds to wait before the next attempt.',
    required: true,
    schema: { type: 'integer', format: 'int32', minimum: 0, maximum: 86_400, example: 5 },
  },
};

function headersOf(status: RefusalStatus, headers: ResponseHeaders): ResponseHeaders {
  return status === 429 || status === 503 ? { ...retryAfter, ...headers } : headers;
}

/**
 * How the contract describes a refusal: a text for people, or problem details for those who prefer JSON.
 * @param title an example of what the client is told
 */
export function refusal(
  status: RefusalStatus,
  description: string,
  title: string,
  headers: ResponseHeaders = {},
): MethodDecorator & ClassDecorator {
  const type = `urn:ovirt-imageio:error:${codeOfStatus[status]}`;
  const response: ApiResponseOptions = {
    status,
    description,
    headers: headersOf(status, headers),
    content: {
      'text/plain': {
        schema: { $ref: `#/components/schemas/${errorTextName}` },
        example: `${title}\n`,
      },
      'application/problem+json': {
        schema: { $ref: getSchemaPath(ProblemDto) },
        example: { type, title, status },
      },
    },
  };
  return ApiResponse(response);
}

/** A refusal of HEAD, which has the headers only. */
export function bodilessRefusal(
  status: RefusalStatus,
  description: string,
  headers: ResponseHeaders = {},
): MethodDecorator & ClassDecorator {
  return ApiResponse({ status, description, headers: headersOf(status, headers) });
}

/** What a wrong credential gets at the proxy after many others: status, description, example. */
export const tooManyFailuresArguments = [
  429,
  'Too many credentials from this address were wrong, so what is wrong with this one is not told. Right ' +
    'ones are taken all the time; `Retry-After` says when to try another.',
  'Too many failed authentications from this address',
] as const;

export const tooManyFailures = refusal(...tooManyFailuresArguments);

/**
 * A head of more than 16 KiB is refused by Node's parser. There is no request yet whose `Accept` could be
 * read, so the answer is always text.
 */
const headTooLargeDescription =
  'Request line and headers are larger than 16 KiB, or there are more than 256 headers. ' +
  'The connection is closed.';

const headTooLarge = refusal(431, headTooLargeDescription, 'The request has more than 256 headers');

const codedTransferDescription =
  'The body is in another transfer coding than chunked, or in one besides it. The connection is closed.';

/** What any request may get by its head alone. */
export const headRefusals = applyDecorators(
  headTooLarge,
  refusal(501, codedTransferDescription, 'Transfer-Encoding must be chunked, alone and once'),
);

export const headRefusalsWithoutBody = applyDecorators(
  bodilessRefusal(431, headTooLargeDescription),
  bodilessRefusal(501, codedTransferDescription),
);

/** What a request may get whose body is read as a whole. */
export const codedBodyArguments = [
  415,
  'The body has a `Content-Encoding`.',
  'Content-Encoding is not supported, send the bytes as they are',
] as const;

export const codedBody = refusal(...codedBodyArguments);

/** What a request to the control service may get whose body is JSON. */
export const jsonBodyRefusals = applyDecorators(
  refusal(
    408,
    'The body stopped arriving for a minute. The connection is closed.',
    'Client was silent for 60 seconds',
  ),
  refusal(413, 'The body is larger than 64 KiB.', 'Request body is larger than the limit of 65536 bytes'),
  codedBody,
);

/** What any request may get that comes at the wrong moment. */
export const stoppingArguments = [
  503,
  'The service is stopping or at a limit. Try again after `Retry-After` seconds.',
  'The service is stopping',
] as const;

export const stopping = refusal(...stoppingArguments);
