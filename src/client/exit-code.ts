import { ImageioError } from '#sdk';
import { StoppedError, TransferError, VerificationError } from '#sdk/transfer';
import { UsageError } from './usage-error.js';

export const exitCodes = { failed: 1, usage: 2, differs: 3, refused: 4, interrupted: 130 } as const;

/** What a failure is to whoever called the program. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof VerificationError) return exitCodes.differs;
  if (error instanceof StoppedError) return exitCodes.interrupted;
  if (error instanceof ImageioError) return exitCodes.refused;
  const isRefusal =
    error instanceof TransferError && error.details.status !== undefined && !error.details.retryable;
  return isRefusal ? exitCodes.refused : exitCodes.failed;
}
