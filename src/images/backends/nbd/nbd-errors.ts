import { StorageError } from '../../../base/errors.js';

/** The server refused this one request. The connection, and every other request on it, goes on. */
export class NbdRequestError extends StorageError {
  /**
   * @param errorName the protocol's name of the error, e.g. `EIO`
   * @param serverMessage the server's own words; they stay in `cause`, for the log only
   */
  constructor(
    command: string,
    readonly errorName: string,
    serverMessage = '',
  ) {
    super(
      `The storage answered ${errorName} to ${command}`,
      serverMessage === '' ? undefined : { cause: new Error(serverMessage) },
    );
  }
}

/** The connection could not be made or has ended; what was pending on it has an unknown outcome. */
export class NbdConnectionError extends StorageError {}

/**
 * The server sent bytes that the protocol does not allow. Where its next message begins cannot be known any
 * more, so the connection is closed.
 */
export class NbdProtocolError extends NbdConnectionError {
  constructor(what: string) {
    super(`The storage server broke the NBD protocol: ${what}`);
  }
}
