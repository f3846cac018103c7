import type { Socket } from 'node:net';
import type { ClientConnection } from './client-connection.js';
import type { ClientThread } from './client-thread.js';
import type { ServerTls } from './server-tls.js';

/** A connection to a TLS port on which the first bytes of its client have come. */
export interface AcceptedClient {
  /** Belongs to whom it is given. */
  readonly fd: number;
  /** What was read from it. */
  readonly received: Uint8Array;
  readonly clientAddress: string | undefined;
}

/** Told what becomes of a connection that another thread has. */
export interface ClientEvents {
  /**
   * TLS is spoken.
   * @param socket what the client sends and gets, without TLS, and its address
   * @returns the connection as the main thread has it
   */
  secure(socket: Socket, thread: ClientThread): ClientConnection;
  /** Once, when the thread passes on what the client sends, for the first time. */
  passes(): void;
  /** The handshake has failed; the connection is closed next. */
  failed(reason: string): void;
  /** Once, at the end. */
  closed(): void;
}

/** Threads that speak TLS with the clients of a listener (docs/architecture.md, "Data workers"). */
export interface TlsThreads {
  /** Starts them. Until they run, connections wait for them. */
  start(tls: ServerTls): void;
  /** Gives a connection to one of them. @returns ends the connection at once */
  lend(client: AcceptedClient, events: ClientEvents): () => void;
  /** Who says whether a thread may answer downloads by itself. To be set before they are started. */
  lender: ImageLender | undefined;
  /** Shows connections to come another certificate. */
  setTls(tls: ServerTls): void;
  /** From now on the main thread is asked for everything: it says who may still get what. */
  drain(): void;
  /** How many requests they are answering by themselves. */
  readonly running: number;
  /** Ends the connections on which they are. */
  abort(): void;
}

/** What becomes of the question whether a thread may answer downloads of an image. */
export type Lending =
  /** It has a grant. */
  | 'lent'
  /** The main thread is to be asked for this one, such as where the answer is a refusal. */
  | 'not now'
  /** The image is of a kind that no thread can read. */
  | 'never';

/** What a thread would read. */
export interface WantedImage {
  readonly ticketId: string;
  /** All that is wanted of the image, Infinity for all of it. */
  readonly endBytes: number;
}

/** Lets threads answer plain downloads. */
export interface ImageLender {
  /**
   * Opens the image of a ticket on a connection, if the ticket allows it to be read, and offers it to the
   * thread that has the connection. Never rejects.
   * @param signal gives it up
   */
  lend(connection: ClientConnection, wanted: WantedImage, signal: AbortSignal): Promise<Lending>;
}
