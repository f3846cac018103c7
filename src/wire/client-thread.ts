import type { ByteRange } from '../base/units.js';

/** The thread that speaks TLS with one client, as those see it who answer the client. */
export interface ClientThread {
  /** A request that it has passed on is being answered. */
  began(): void;
  /** All requests that it has passed on are answered. */
  answered(): void;
  /** It is answering a request by itself. */
  readonly isRunning: boolean;
  /** How long ago the client got or sent something that only the thread knows of, in seconds. */
  readonly idleSeconds: number;
  /** Lets it answer plain downloads of an image by itself. @returns undefined where it cannot */
  offer(image: LentImage): ReadGrant | undefined;
}

/** What a thread needs to read an image and to answer as the main thread would. */
export interface LentImage {
  readonly ticketId: string;
  readonly transferId: string;
  /** By which it shares buffers with others. */
  readonly imageUrl: string;
  /** Stays open until the grant was revoked. */
  readonly fd: number;
  /** What reads must be aligned to, 1 for a file that takes any. */
  readonly blockSizeBytes: number;
  /** What may be read. A range past it is for the main thread. */
  readonly sizeBytes: number;
  /** What follows the range in `Content-Range`. */
  readonly totalBytes: string;
  readonly contentDisposition: string;
  /** How long its client may read nothing. */
  readonly silenceSeconds: number;
  /** Told of each part that was sent, after the fact. @param atSeconds of CLOCK_MONOTONIC */
  readonly onRead: (part: ByteRange, atSeconds: number) => void;
}

/** That a thread may read an image for one connection. */
export interface ReadGrant {
  /** What may be read of the image. */
  readonly sizeBytes: number;
  /** A download of it is running. */
  readonly running: boolean;
  /** It was taken back. */
  readonly revoked: boolean;
  /** Tells of all that was sent until now. */
  settle(): void;
  /**
   * Takes it back: no download begins any more, and one that runs is ended.
   * @returns when none runs, so that the file may be closed
   */
  revoke(): Promise<void>;
}
