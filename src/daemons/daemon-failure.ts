import { BadGatewayError, GatewayTimeoutError, ServiceError, UnavailableError } from '../base/errors.js';
import { errorCode } from '../base/error-details.js';

/** There is no way to the host at the moment; when there is one again, the same request works. */
const unreachable = new Set(['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'EAI_AGAIN']);

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'The host of the image refused the connection',
  ENOTFOUND: 'The name of the host of the image is not known',
  ECONNRESET: 'The host of the image closed the connection without an answer',
  EPIPE: 'The host of the image closed the connection without an answer',
  ERR_TLS_CERT_ALTNAME_INVALID: 'The certificate of the host of the image is for another name',
  HPE_HEADER_OVERFLOW: 'The headers of the answer of the host of the image are too large',
  CERT_HAS_EXPIRED: 'The certificate of the host of the image has expired',
};

/**
 * What a failed request to a daemon means to the client (docs/protocol.md, "Failing daemons"). Which host
 * it was and how it failed is in the cause, for the log only.
 */
export function daemonFailure(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  const code = errorCode(error) ?? '';
  if (unreachable.has(code)) {
    return new UnavailableError('The host of the image cannot be reached', { cause: error });
  }
  if (code === 'ETIMEDOUT') {
    return new GatewayTimeoutError('The host of the image did not accept the connection in time', {
      cause: error,
    });
  }
  return new BadGatewayError(reasons[code] ?? reasonOfKind(code), { cause: error });
}

/** How daemons fail, for counting. */
export const daemonFailureKinds = [
  'refused',
  'unreachable',
  'unknown_name',
  'timeout',
  'certificate',
  'reset',
  'protocol',
  'broken_answer',
  'other',
] as const;

export type DaemonFailureKind = (typeof daemonFailureKinds)[number];

export const DAEMON_FAILURE_OBSERVER = Symbol('DAEMON_FAILURE_OBSERVER');

/** Who wants to know that a daemon failed a relayed request. */
export interface DaemonFailureObserver {
  daemonFailed(kind: DaemonFailureKind): void;
}

const kindsOfCodes: Readonly<Record<string, DaemonFailureKind>> = {
  ECONNREFUSED: 'refused',
  ENOTFOUND: 'unknown_name',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
};

/**
 * The kind of a failure that `daemonFailure` made or a relay threw; undefined when it
 * was not the daemon that failed.
 */
export function daemonFailureKind(error: unknown): DaemonFailureKind | undefined {
  if (error instanceof GatewayTimeoutError) return 'timeout';
  if (error instanceof UnavailableError) {
    return unreachable.has(errorCode(error.cause) ?? '') ? 'unreachable' : undefined;
  }
  if (!(error instanceof BadGatewayError)) return undefined;
  const code = errorCode(error.cause) ?? '';
  if (error.cause === undefined) return 'broken_answer';
  if (code.startsWith('HPE_') || code.startsWith('ERR_SSL_') || code === 'EPROTO') return 'protocol';
  return kindsOfCodes[code] ?? (isCertificateCode(code) ? 'certificate' : 'other');
}

/**
 * Whether the daemon's certificate was issued by no authority that is trusted here. A certificate that has
 * expired or is for another name is another failure: looking at the authorities would not help.
 */
export function isUntrusted(error: unknown): boolean {
  if (!(error instanceof BadGatewayError)) return false;
  const code = errorCode(error.cause) ?? '';
  return isCertificateCode(code) && !Object.hasOwn(reasons, code);
}

function reasonOfKind(code: string): string {
  if (code.startsWith('HPE_')) return 'The answer of the host of the image cannot be understood';
  if (isCertificateCode(code)) {
    return 'The certificate of the host of the image is not trusted';
  }
  return 'The connection to the host of the image failed';
}

function isCertificateCode(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO/.test(code);
}
