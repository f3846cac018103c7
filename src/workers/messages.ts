import type { LentImage } from '../wire/client-thread.js';
import type { Lending } from '../wire/tls-threads.js';
import type { Grant } from './grant-cells.js';
import type { ServerTls } from '../wire/server-tls.js';

/** What a data worker is started with. */
export interface WorkerStart {
  /** The name of the listener whose clients it has. */
  readonly listener: string;
  readonly tls: ServerTls;
  /** Shared by all workers, so that a client may resume its session of TLS at any of them. */
  readonly sessionTicketKeys: Uint8Array;
  readonly handshakeSeconds: number;
  /** How long the socket stays open after the last answer so that the client can read it. */
  readonly lingerSeconds: number;
  /** How long a client may read nothing while a ticket does not say. */
  readonly silenceSeconds: number;
  /** Somebody gives it grants. */
  readonly readsImages: boolean;
  readonly bufferPoolBytes: number;
  readonly bufferBytes: number;
  readonly ledger: SharedArrayBuffer;
  readonly cells: SharedArrayBuffer;
  readonly counts: SharedArrayBuffer;
  /** The most bytes of one record of the log. */
  readonly logRecordBytes: number;
  readonly logsRequests: boolean;
  /** Node behaves as that needs it. */
  readonly releasesMemory: boolean;
}

/** What a worker is told of an image; the rest is the main thread's. */
export type GrantedImage = Omit<LentImage, 'onRead'> & { readonly grant: Grant };

/** To a worker. `id` is that of a connection. */
export type WorkerCommand =
  | {
      readonly kind: 'client';
      readonly id: number;
      /** Of the client. */
      readonly fd: number;
      /** The other end of it is the main thread's. */
      readonly passageFd: number;
      readonly received: Uint8Array;
      /** As logs have it. */
      readonly address: string | undefined;
    }
  /** Ends a connection at once. */
  | { readonly kind: 'destroy'; readonly id: number }
  /** The main thread has cut the connection: what it has sent before may still leave. */
  | { readonly kind: 'cut'; readonly id: number }
  /** All that was passed on is answered, in so many bytes since the connection began. */
  | { readonly kind: 'answered'; readonly id: number; readonly sentBytes: number }
  | { readonly kind: 'grant'; readonly id: number; readonly image: GrantedImage }
  /** What becomes of an `ask`; a grant came before. */
  | { readonly kind: 'asked'; readonly id: number; readonly ticketId: string; readonly lending: Lending }
  /** The grant was taken back in its cell: a download that runs by it is to end. */
  | { readonly kind: 'revoke'; readonly id: number; readonly grant: Grant }
  | { readonly kind: 'tls'; readonly tls: ServerTls }
  | { readonly kind: 'log'; readonly logsRequests: boolean }
  /** Connections on which a download runs are to end. */
  | { readonly kind: 'abort' }
  /** All connections are to end, and the thread. */
  | { readonly kind: 'end' };

/** What became of downloads. */
export interface DownloadReport {
  readonly lengthBytes: number;
  readonly status: number;
  readonly totalSeconds: number;
  readonly backendSeconds: number;
  readonly clientSeconds: number;
}

/** Of a worker. */
export type WorkerEvent =
  | { readonly kind: 'secure'; readonly id: number }
  /** For the first time something of the client comes through the passage. */
  | { readonly kind: 'passes'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string }
  | { readonly kind: 'closed'; readonly id: number }
  /** Asks for a grant to read up to there. */
  | { readonly kind: 'ask'; readonly id: number; readonly ticketId: string; readonly endBytes: number }
  /** Nothing runs any more by a grant that was revoked. */
  | { readonly kind: 'left'; readonly cell: number }
  /** The ledger is half full. */
  | { readonly kind: 'ledger' }
  /** Lines of the log, and what they tell in numbers. */
  | { readonly kind: 'reports'; readonly lines: string; readonly downloads: readonly DownloadReport[] };
