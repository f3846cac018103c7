import { ImageioError } from '#sdk';
import { PreflightError, StoppedError, TransferError, VerificationError } from '#sdk/transfer';
import { UsageError } from './usage-error.js';

export const exitCodes = { failed: 1, usage: 2, differs: 3, refused: 4, interrupted: 130 } as const;

/** What the manual says of them. */
export const exitCodeWords: ReadonlyMap<number, string> = new Map([
  [0, 'done, and verified when that was asked for'],
  [exitCodes.failed, 'failed'],
  [exitCodes.usage, 'the command line is wrong'],
  [exitCodes.differs, 'what was written is not what was read, or the file is not as the image'],
  [exitCodes.refused, 'refused by the service or the engine, or it would fail'],
  [exitCodes.interrupted, 'interrupted; the same command goes on'],
]);

/** What a failure is to whoever called the program. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof VerificationError) return exitCodes.differs;
  if (error instanceof StoppedError) return exitCodes.interrupted;
  if (error instanceof ImageioError || error instanceof PreflightError) return exitCodes.refused;
  const status = error instanceof TransferError ? (error.details.status ?? 0) : 0;
  return status >= 400 && status < 500 ? exitCodes.refused : exitCodes.failed;
}
