/** What failed at the other side or on the way, as far as it says what a transfer can do about it. */
export class TransferError extends Error {
  constructor(
    message: string,
    readonly details: {
      /** The status of the answer; undefined when there was none. */
      readonly status?: number | undefined;
      /** Trying again may help. */
      readonly retryable: boolean;
      /** Not before that. */
      readonly retryAfterSeconds?: number | undefined;
    },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'TransferError';
  }
}

/** A transfer was given up by whoever started it. */
export class AbortedError extends Error {
  constructor() {
    super('The transfer was aborted');
    this.name = 'AbortedError';
  }
}

/** A transfer was stopped, so that it can go on later: what was written is flushed and remembered. */
export class StoppedError extends Error {
  constructor(message = 'The transfer was stopped') {
    super(message);
    this.name = 'StoppedError';
  }
}

/** What was written is not what was read. */
export class VerificationError extends Error {
  constructor(
    message: string,
    /** The first blocks that differ, by their places; empty when only the whole is known to differ. */
    readonly differing: readonly { readonly offsetBytes: number; readonly lengthBytes: number }[],
  ) {
    super(message);
    this.name = 'VerificationError';
  }
}

/** The source is not what it was when the transfer began, so what is on the target may be of another disk. */
export class SourceChangedError extends Error {
  constructor(options?: ErrorOptions) {
    super('The source has changed since the transfer began: start it anew', options);
    this.name = 'SourceChangedError';
  }
}
