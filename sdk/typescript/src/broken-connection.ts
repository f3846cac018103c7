import { TransferError } from '../transfer/failure.js';

/** Certificates that cannot be verified stay so, however often it is tried. */
const finalCodes = /^(CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_)/;

/** What a connection that failed means to a transfer. */
export function brokenConnection(error: Error): TransferError {
  const { code = '' } = error as NodeJS.ErrnoException;
  return new TransferError(
    `The connection to the service failed: ${error.message}`,
    { retryable: !finalCodes.test(code) },
    { cause: error },
  );
}
