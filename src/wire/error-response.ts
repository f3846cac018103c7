import {
  BadGatewayError,
  ChecksumMismatchError,
  ClientTimeoutError,
  ConflictError,
  DamagedBodyError,
  DigestMismatchError,
  GatewayTimeoutError,
  InvalidDigestError,
  InvalidRequestError,
  MethodNotAllowedError,
  NoSpaceError,
  NotAllowedError,
  NotFoundError,
  PayloadTooLargeError,
  RangeNotSatisfiableError,
  ServiceError,
  StorageError,
  TooManyFailuresError,
  TooManyHeadersError,
  UnauthenticatedError,
  UnavailableError,
  UnsupportedMediaTypeError,
  UnsupportedTransferCodingError,
  UnsupportedVersionError,
} from '../base/errors.js';
import { prefersJson } from './headers/accept.js';

export interface ErrorResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The connection ends after this answer. */
  readonly closes: boolean;
}

type ErrorClass = abstract new (...args: never[]) => ServiceError;

/**
 * The only place that knows which status an error of the domain is. Subclasses stand before their parents.
 */
export const statusOfError: readonly (readonly [ErrorClass, number])[] = [
  [DigestMismatchError, 400],
  [InvalidDigestError, 400],
  [DamagedBodyError, 400],
  [InvalidRequestError, 400],
  [UnauthenticatedError, 401],
  [NotAllowedError, 403],
  [NotFoundError, 404],
  [MethodNotAllowedError, 405],
  [ClientTimeoutError, 408],
  [ChecksumMismatchError, 409],
  [ConflictError, 409],
  [PayloadTooLargeError, 413],
  [UnsupportedMediaTypeError, 415],
  [RangeNotSatisfiableError, 416],
  [TooManyHeadersError, 431],
  [NoSpaceError, 507],
  [StorageError, 500],
  [UnsupportedTransferCodingError, 501],
  [BadGatewayError, 502],
  [TooManyFailuresError, 429],
  [UnavailableError, 503],
  [GatewayTimeoutError, 504],
  [UnsupportedVersionError, 505],
];

/** The status that `error` is answered with; 500 for everything that is not of the domain. */
export function errorStatus(error: unknown): number {
  return statusOfError.find(([type]) => error instanceof type)?.[1] ?? 500;
}

/** What an answer depends on besides the error. */
export interface ErrorResponseOptions {
  /** The `Accept` of the request. */
  readonly accept: string | undefined;
  /** When to try again after an error that does not tell: `[limits] retry_after_sec`. */
  readonly retryAfterSeconds: number;
  /** What problem details have besides what the error gives them. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/**
 * What a client gets for `error`: a short text for people, or RFC 9457 problem details when `accept` prefers
 * JSON. Errors that are not of the domain are ours: their text goes to the log only.
 */
export function errorResponse(
  error: unknown,
  { accept, retryAfterSeconds, members: others }: ErrorResponseOptions,
): ErrorResponse {
  const status = errorStatus(error);
  const asJson = prefersJson(accept);
  const problem = { ...problemOf(error), ...others };
  return {
    status,
    headers: {
      ...detailHeaders(error, retryAfterSeconds),
      'Content-Type': asJson ? 'application/problem+json' : 'text/plain; charset=UTF-8',
    },
    body: asJson ? `${JSON.stringify(problem)}\n` : `${problem.title}\n`,
    // A client that was refused access gets no further tries on the same connection, nor does one that was
    // too slow (docs/protocol.md, "Refusals"), nor one with a head that only an attacker sends. After a body
    // in an unknown framing nobody knows where the next request begins.
    closes: status === 403 || status === 408 || status === 431 || status === 501,
  };
}

/** What RFC 9457 calls problem details. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
}

/** What programs are told of `error`. Of one that is not of the domain only that there was one. */
export function problemOf(error: unknown): Problem {
  const known = error instanceof ServiceError;
  const standard = known ? error.problem : undefined;
  return {
    type: standard?.type ?? `urn:ovirt-imageio:error:${known ? error.code : 'internal'}`,
    title: known ? error.message : 'Internal server error, see the log of the service',
    status: errorStatus(error),
    ...members(error),
    ...standard?.members,
  };
}

/**
 * The statuses of failures that may be over when the same request comes again: the client was too slow, or
 * the service, its storage or the way to them was in trouble. Storage that is full stays so.
 */
const passingStatuses: ReadonlySet<number> = new Set([408, 409, 429, 500, 502, 503, 504]);

/** Whether the same request, sent again as it is, may succeed (docs/protocol.md, "Parallel uploads"). */
export function isRetryable(error: unknown): boolean {
  return passingStatuses.has(errorStatus(error)) || error instanceof DamagedBodyError;
}

/** What problem details have besides what all of them have. */
function members(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof ChecksumMismatchError)) return {};
  const { expected, actual, firstDifferenceBytes = null } = error;
  return { expected, actual, first_difference: firstDifferenceBytes };
}

function detailHeaders(error: unknown, retryAfterSeconds: number): Record<string, string> {
  if (error instanceof MethodNotAllowedError) return { Allow: error.allowedMethods.join(',') };
  // RFC 9110 section 10.2.3 knows whole seconds only.
  if (error instanceof UnavailableError || error instanceof TooManyFailuresError) {
    return { 'Retry-After': String(Math.ceil(error.retryAfterSeconds ?? retryAfterSeconds)) };
  }
  if (error instanceof RangeNotSatisfiableError && error.availableBytes !== undefined) {
    return { 'Content-Range': `bytes */${error.availableBytes}` };
  }
  return {};
}
