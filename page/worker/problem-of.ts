import {
  PreflightError,
  SourceChangedError,
  TransferError,
  VerificationError,
  type Finding,
} from '#sdk/transfer';
import type { Problem, ProblemCode } from '../problem.js';

/** What to tell of a failure. */
export function problemOf(error: unknown): Problem {
  if (error instanceof PreflightError) return { code: 'not-begun', words: error.findings.map(findingWords) };
  if (error instanceof TransferError) return { code: codeOf(error), words: [error.message] };
  if (error instanceof VerificationError) return { code: 'differs', words: [error.message] };
  if (error instanceof SourceChangedError) return { code: 'file-changed', words: [error.message] };
  if (error instanceof DOMException) return { code: 'file-refused', words: [error.message] };
  return { code: 'defect', words: [error instanceof Error ? error.message : String(error)] };
}

export function findingWords({ message, advice }: Finding): string {
  return `${message}. ${advice}`;
}

const unauthenticated = 401;
const forbidden = 403;
const insufficientStorage = 507;

function codeOf({ message, details: { status } }: TransferError): ProblemCode {
  if (status === undefined) return navigator.onLine ? 'unreachable' : 'offline';
  if (status === insufficientStorage) return 'storage-full';
  if (status === unauthenticated) return 'signed-ticket-refused';
  if (status === forbidden && /session/i.test(message)) return 'session-ended';
  if (status === forbidden && /expired/i.test(message)) return 'ticket-expired';
  if (status === forbidden && /no such ticket/i.test(message)) return 'ticket-unknown';
  return status >= 500 || status === 408 || status === 429 ? 'busy' : 'refused';
}
