/** A type of problem details that is not our own (RFC 9457 section 3.1.1), and what goes with it. */
export interface StandardProblem {
  readonly type: string;
  /** Members besides the usual ones. */
  readonly members: Readonly<Record<string, string>>;
}

/**
 * The errors of the domain. Each says what went wrong in fields and one sentence for people;
 * `wire/error-response.ts` alone knows which status each becomes. Messages reach clients, so they name no
 * path, id or token: such detail goes into `cause`, which only the log shows.
 */
export abstract class ServiceError extends Error {
  /** Stable name for programs, the last part of the problem type. */
  abstract readonly code: string;
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }

  /** How problem details name it where a standard has a type for it. */
  get problem(): StandardProblem | undefined {
    return undefined;
  }
}

/** The request itself is malformed: repeating it unchanged cannot help. */
export class InvalidRequestError extends ServiceError {
  readonly code: string = 'invalid_request';
}

/** Of the body came something else than the client has sent, or less: sent again it may arrive. */
export class DamagedBodyError extends InvalidRequestError {}

/** Where the problem types for digest fields are registered. */
const digestProblems = 'https://iana.org/assignments/http-problem-types#digest-';

/** A digest that its algorithm cannot have made. */
export class InvalidDigestError extends InvalidRequestError {
  override readonly code = 'invalid_digest';

  constructor(algorithm: string, lengthBytes: number) {
    super(`Invalid Content-Digest, ${algorithm} must have ${lengthBytes} bytes`);
  }

  override get problem(): StandardProblem {
    return { type: `${digestProblems}invalid-value`, members: {} };
  }
}

/** The body that came is not the one whose digest the client has sent: nothing of it counts. */
export class DigestMismatchError extends DamagedBodyError {
  override readonly code = 'digest_mismatch';

  /** @param provided by the client */
  constructor(
    readonly algorithm: string,
    readonly provided: Uint8Array,
  ) {
    super(`The body does not match its Content-Digest by ${algorithm}, send it again`);
  }

  override get problem(): StandardProblem {
    const provided = `:${Buffer.from(this.provided).toString('base64')}:`;
    const members = { algorithm: this.algorithm, 'provided-digest': provided };
    return { type: `${digestProblems}mismatching-value`, members };
  }
}

/** The request is of a version of HTTP that is not spoken here. */
export class UnsupportedVersionError extends ServiceError {
  readonly code = 'unsupported_version';

  constructor(version: string) {
    super(`HTTP version ${version} is not supported, only 1.0 and 1.1`);
  }
}

/** No credential, or none that holds, was shown. */
export class UnauthenticatedError extends ServiceError {
  readonly code = 'unauthenticated';
}

/** The ticket does not exist, has expired, was cancelled or forbids the operation; which one is told. */
export class NotAllowedError extends ServiceError {
  readonly code = 'not_allowed';

  constructor(reason: string, options?: ErrorOptions) {
    super(`You are not allowed to access this resource: ${reason}`, options);
  }
}

export class NotFoundError extends ServiceError {
  readonly code = 'not_found';
}

export class MethodNotAllowedError extends ServiceError {
  readonly code = 'method_not_allowed';

  constructor(
    method: string,
    readonly allowedMethods: readonly string[],
  ) {
    super(`Method ${method} is not supported here, only ${allowedMethods.join(', ')}`);
  }
}

/** The state of the thing forbids it now; the same request may succeed later. */
export class ConflictError extends ServiceError {
  readonly code: string = 'conflict';
}

/** The image is not what the client expected it to be. */
export class ChecksumMismatchError extends ConflictError {
  override readonly code = 'checksum_mismatch';

  /**
   * @param expected by the client; both in hex
   * @param firstDifferenceBytes where the first block begins that is not what was uploaded, if that is known
   */
  constructor(
    readonly expected: string,
    readonly actual: string,
    readonly firstDifferenceBytes?: number,
  ) {
    super(`The checksum is ${actual}, not ${expected}; the digests of the blocks tell where they differ`);
  }
}

export class PayloadTooLargeError extends ServiceError {
  readonly code = 'payload_too_large';

  constructor(limitBytes: number) {
    super(`Request body is larger than the limit of ${limitBytes} bytes`);
  }
}

/** The head of the request is within its bytes, but has too many headers. */
export class TooManyHeadersError extends ServiceError {
  readonly code = 'too_many_headers';

  constructor(limit: number) {
    super(`The request has more than ${limit} headers`);
  }
}

/** The bytes of the body stand for others than themselves, in a way that this service does not undo. */
export class UnsupportedMediaTypeError extends ServiceError {
  readonly code = 'unsupported_media_type';
}

/** The body is framed in a way that this service does not know. */
export class UnsupportedTransferCodingError extends ServiceError {
  readonly code = 'unsupported_transfer_coding';

  constructor() {
    super('Transfer-Encoding must be chunked, alone and once');
  }
}

/** A range that is malformed, multiple, or outside of what may be touched. */
export class RangeNotSatisfiableError extends ServiceError {
  readonly code = 'range_not_satisfiable';

  /** @param availableBytes the size that was exceeded; absent when the range itself is invalid */
  constructor(
    message: string,
    readonly availableBytes?: number,
  ) {
    super(message);
  }
}

/** The client stopped sending or reading: the answer, if there is one, is 408. */
export class ClientTimeoutError extends ServiceError {
  readonly code = 'client_timeout';
}

/** The client closed the connection. Nobody reads an answer to this. */
export class ClientGoneError extends ServiceError {
  readonly code = 'client_gone';

  constructor() {
    super('Client closed the connection');
  }
}

/** What is wrong with storage that does not let an image be opened, for those who have to mend it. */
export type StorageTrouble =
  | 'image_missing'
  | 'access_denied'
  | 'read_only'
  | 'not_an_image'
  | 'storage_refused'
  | 'storage_missing'
  | 'storage_unreachable'
  | 'storage_silent'
  | 'export_missing'
  | 'storage_failed';

export interface StorageErrorOptions extends ErrorOptions {
  /** Where whoever met the failure can tell. */
  readonly trouble?: StorageTrouble | undefined;
}

/** Reading or writing the image failed. The cause says how; the client is told only that it did. */
export class StorageError extends ServiceError {
  readonly code: string = 'storage_error';
  readonly trouble: StorageTrouble;

  constructor(message: string, { trouble = 'storage_failed', ...options }: StorageErrorOptions = {}) {
    super(message, options);
    this.trouble = trouble;
  }
}

/** The storage has no room left; smaller writes or writing again after it was extended may succeed. */
export class NoSpaceError extends StorageError {
  override readonly code = 'no_space';

  constructor(options?: ErrorOptions) {
    super('No space left on the storage of this image', options);
  }
}

export interface UnavailableErrorOptions extends ErrorOptions {
  /** When to try again, where what failed tells. By default that is `[limits] retry_after_sec`. */
  readonly retryAfterSeconds?: number;
}

/** Draining, at a limit, or something this service needs is away for now. */
export class UnavailableError extends ServiceError {
  readonly code: string = 'unavailable';
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, { retryAfterSeconds, ...options }: UnavailableErrorOptions = {}) {
    super(message, options);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/**
 * Too many credentials from the address of this client were wrong: what is wrong with further ones is not
 * told for now. It is the client that is at a limit, not the service, which takes right ones all the time.
 */
export class TooManyFailuresError extends ServiceError {
  readonly code = 'too_many_failures';

  constructor(readonly retryAfterSeconds: number) {
    super('Too many failed authentications from this address');
  }
}

/**
 * The daemon behind the proxy refused the connection, its name or certificate is wrong, or it answered
 * nonsense.
 */
export class BadGatewayError extends ServiceError {
  readonly code = 'bad_gateway';
}

/** The daemon behind the proxy did not accept or answer in time. */
export class GatewayTimeoutError extends ServiceError {
  readonly code = 'gateway_timeout';
}
