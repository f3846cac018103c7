/** Where a relayed body goes: the response to the client, or the request to the daemon. */
export interface BodySink {
  write(data: Uint8Array, written: (error?: Error | null) => void): boolean;
  end(): unknown;
  /**
   * Calls back when nothing touches the memory of what was written any more, at once if that is so already.
   */
  onClose(closed: () => void): void;
}

/** Hands the pieces of a body to a sink. */
export interface BodyWriter {
  /** It has no memory for what came, and waits for others to leave some. */
  readonly isWaitingForBuffer: boolean;
  /**
   * Takes `chunk`, whose memory is then not the caller's any more.
   * @returns false when no more should come before there is room
   */
  write(chunk: Buffer<ArrayBuffer>): boolean;
  /** Ends the sink after what was taken. */
  end(): void;
  /**
   * Sends nothing more of what was taken. To be called however the body ends; the sink
   * may still be sending. Idempotent.
   */
  stop(): void;
}

/** Calls back when `stream` is closed, which may have happened before. */
export function onceClosed(
  stream: { readonly closed: boolean; once(event: 'close', listener: () => void): unknown },
  closed: () => void,
): void {
  if (stream.closed) closed();
  else stream.once('close', closed);
}
