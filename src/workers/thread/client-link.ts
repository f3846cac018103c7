import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ClientGoneError } from '../../base/errors.js';
import { releaseMemory } from '../../node-internals/release-memory.js';
import { KiB } from '../../base/units.js';
import type { Lending } from '../../wire/tls-threads.js';
import type { Grant } from '../grant-cells.js';
import type { GrantedImage } from '../messages.js';
import type { DownloadClient, DownloadMeans } from './download-means.js';
import { GrantedDownload } from './granted-download.js';
import { plainGet, type PlainGet } from './plain-get.js';
import { requestLength } from './request-length.js';

/** TLS encrypts all that it is given at once, which takes as much memory again. */
const encryptedAtOnceBytes = 256 * KiB;

/** What was sent before a cut is there already, and a client that reads takes it at once. */
const cutSeconds = 1;

interface CurrentDownload {
  readonly asked: PlainGet;
  /** Its request. */
  readonly bytes: Buffer<ArrayBuffer>;
  /** Since it runs. */
  download?: GrantedDownload;
  /** Of signs of life, if its client wants them. */
  readonly signs: NodeJS.Timeout | undefined;
}

export interface ClientLinkOptions {
  /** Of the connection. */
  readonly id: number;
  readonly client: TLSSocket;
  /** The main thread is at its other end. */
  readonly passage: Socket;
  readonly address: string | undefined;
  readonly lingerSeconds: number;
  /** How long the client may read nothing while a ticket does not say. */
  readonly silenceSeconds: number;
}

/**
 * One client with whom TLS is spoken, and the passage to the main thread. Between two requests it looks at
 * what the client sends: a plain download of an image that the connection has a grant for it answers, all
 * else it passes on, byte by byte, until the main thread says that everything is answered. A request whose
 * end it cannot tell leaves the connection to the main thread for good.
 */
export class ClientLink implements DownloadClient {
  readonly #id: number;
  readonly #client: TLSSocket;
  readonly #passage: Socket;
  readonly #images = new Map<string, GrantedImage>();
  readonly address: string | undefined;
  readonly #lingerSeconds: number;
  /** Tickets whose images no thread can read. */
  readonly #notLent = new Set<string>();
  /** A download that waits for a grant, or is running. */
  #current: CurrentDownload | undefined;
  /** Somebody else answers the client now. */
  #passing = false;
  /** The main thread reads the passage. */
  #hasPassed = false;
  /** How much of the request that is passed on was not yet received; Infinity when that is not known. */
  #missingBytes = 0;
  /** What the main thread has sent since the connection began. */
  #answerBytes = 0;
  /** So much it has sent in all; undefined while it is at work. */
  #answeredBytes: number | undefined;
  /** Received and nobody's yet. */
  #kept: Buffer<ArrayBuffer>[] = [];
  #clientEnded = false;
  #sending: PromiseWithResolvers<undefined> | undefined;

  constructor(
    { id, client, passage, address, lingerSeconds, silenceSeconds }: ClientLinkOptions,
    private readonly means: DownloadMeans,
  ) {
    this.#id = id;
    this.#client = client;
    this.#passage = passage;
    this.address = address;
    this.#lingerSeconds = lingerSeconds;
    client.on('data', this.#onClientData).on('end', this.#onClientEnd).on('error', ignore);
    client.on('drain', () => passage.resume());
    client.on('timeout', this.#onSilence).setTimeout(silenceSeconds * 1000);
    client.once('close', this.#onClientClose);
    passage.on('data', this.#onAnswer).on('error', ignore);
    passage.on('drain', () => client.resume());
    passage.once('end', this.#onPassageEnd);
    passage.once('close', this.#onPassageEnd);
  }

  get closed(): boolean {
    return this.#client.destroyed;
  }

  /** The connection may read an image from now on, or more of it than before. */
  grant(image: GrantedImage): void {
    this.#images.set(image.ticketId, image);
    this.#client.setTimeout(image.silenceSeconds * 1000);
  }

  /** What the main thread says to the question for a grant. */
  asked(ticketId: string, lending: Lending): void {
    if (lending === 'never') this.#notLent.add(ticketId);
    const image = this.#images.get(ticketId);
    const { asked } = this.#current ?? {};
    if (asked === undefined || this.#current?.download !== undefined) return;
    const isLent = lending === 'lent' && image !== undefined && GrantedDownload.isFor(image, asked);
    if (isLent) this.#answer(image);
    else this.#passOnCurrent();
  }

  /** A grant was taken back. */
  revoked({ number }: Grant): void {
    for (const { ticketId, grant } of this.#images.values())
      if (grant.number === number) this.#images.delete(ticketId);
    const { download } = this.#current ?? {};
    // What waits for storage notices by itself, and the last of an answer may leave.
    const isCut = download?.grantNumber === number && download.isReading && this.#sending !== undefined;
    if (isCut) this.destroy();
  }

  /** Ends the connection if a download is running on it. */
  abort(): void {
    if (this.#current?.download !== undefined) this.destroy();
  }

  /** All that was passed on is answered, in so many bytes since the connection began. */
  answered(sentBytes: number): void {
    this.#answeredBytes = sentBytes;
    this.#takeBack();
  }

  destroy(): void {
    this.#client.destroy();
  }

  /** The main thread wants the connection closed, but for what it has sent before. */
  cut(): void {
    this.#closeWithin(cutSeconds);
  }

  async send(data: Uint8Array, beforeLast?: () => void): Promise<void> {
    for (let at = 0; at < data.length; at += encryptedAtOnceBytes) {
      if (this.closed) throw new ClientGoneError();
      if (at + encryptedAtOnceBytes >= data.length) beforeLast?.();
      const sending = Promise.withResolvers<undefined>();
      this.#sending = sending;
      this.#client.write(data.subarray(at, at + encryptedAtOnceBytes), this.#onSent);
      await sending.promise;
    }
  }

  readonly #onSent = (error?: Error | null): void => {
    const sending = this.#sending;
    this.#sending = undefined;
    if (error) sending?.reject(new ClientGoneError());
    else sending?.resolve(undefined);
  };

  readonly #onClientData = (chunk: Buffer<ArrayBuffer>): void => {
    if (this.#passing) this.#pass(chunk);
    else if (this.#current !== undefined || this.#kept.length > 0) this.#keep(chunk);
    else this.#begin(chunk);
  };

  readonly #onClientEnd = (): void => {
    this.#clientEnded = true;
    this.means.ended.watch(this.#client);
    this.#endPassage();
  };

  readonly #onClientClose = (): void => {
    // A write that is queued when the connection closes is not always called back.
    this.#onSent(new ClientGoneError());
    clearInterval(this.#current?.signs);
    this.#passage.destroy();
  };

  /** The client has neither sent nor read anything for as long as its ticket allows. */
  readonly #onSilence = (): void => {
    // While it waits for the service, or the main thread has it, that is not for here to judge.
    const isReading = this.#current !== undefined && this.#sending !== undefined;
    if (isReading || this.#client.writableEnded) this.destroy();
  };

  readonly #onAnswer = (chunk: Buffer<ArrayBuffer>): void => {
    this.#answerBytes += chunk.length;
    const isRoom = this.#client.write(chunk, () => {
      releaseMemory(chunk);
    });
    if (!isRoom) this.#passage.pause();
    if (this.#answeredBytes !== undefined) this.#takeBack();
  };

  /** The main thread ends the connection: the last bytes leave, and the client has a while to read them. */
  readonly #onPassageEnd = (): void => {
    if (this.closed || this.#client.writableEnded) return;
    // Until then the client reads, or its silence ends the connection.
    this.#client.end(() => {
      this.#closeWithin(this.#lingerSeconds);
    });
  };

  /** A request begins with `bytes`. */
  #begin(bytes: Buffer<ArrayBuffer>): void {
    const asked = this.means.readsImages ? plainGet(bytes) : undefined;
    if (asked === undefined || this.#notLent.has(asked.ticketId)) {
      this.#passOn(bytes);
      return;
    }
    this.#current = { asked, bytes, signs: this.#showSigns(asked) };
    const image = this.#images.get(asked.ticketId);
    if (image !== undefined && GrantedDownload.isFor(image, asked)) {
      this.#answer(image);
      return;
    }
    const { ticketId, range } = asked;
    const endBytes = range === undefined ? Infinity : range.lastByte + 1;
    this.means.tell({ kind: 'ask', id: this.#id, ticketId, endBytes });
  }

  /** The current request is answered here, or not after all. */
  #answer(image: GrantedImage): void {
    const current = this.#current;
    if (current === undefined) return;
    current.download = new GrantedDownload(this.means, this, image, current.asked);
    void current.download.run().then((isAnswered) => {
      if (isAnswered) {
        this.#endCurrent();
        this.#next();
      } else this.#passOnCurrent();
    });
  }

  #passOnCurrent(): void {
    const current = this.#endCurrent();
    if (current !== undefined) this.#passOn(current.bytes);
  }

  #endCurrent(): CurrentDownload | undefined {
    const current = this.#current;
    this.#current = undefined;
    clearInterval(current?.signs);
    return current;
  }

  /** docs/protocol.md, "Signs of life". */
  #showSigns({ processingSeconds }: PlainGet): NodeJS.Timeout | undefined {
    if (processingSeconds === undefined) return undefined;
    return setInterval(this.#onSignDue, processingSeconds * 1000);
  }

  readonly #onSignDue = (): void => {
    if (this.#current?.download?.hasBegun === true || this.#client.writableLength > 0) return;
    this.#client.write('HTTP/1.1 102 Processing\r\n\r\n');
  };

  #passOn(chunk: Buffer<ArrayBuffer>): void {
    if (!this.#hasPassed) this.means.tell({ kind: 'passes', id: this.#id });
    this.#hasPassed = true;
    this.#passing = true;
    this.#answeredBytes = undefined;
    this.#missingBytes = requestLength(chunk) ?? Infinity;
    this.#pass(chunk);
  }

  #pass(chunk: Buffer<ArrayBuffer>): void {
    const own = chunk.subarray(0, this.#missingBytes);
    this.#missingBytes -= own.length;
    const isWhole = own.length === chunk.length;
    const isRoom = this.#passage.write(own, () => {
      if (isWhole) releaseMemory(chunk);
    });
    if (!isRoom) this.#client.pause();
    if (isWhole) this.#endPassage();
    else this.#keep(chunk.subarray(own.length));
  }

  #keep(chunk: Buffer<ArrayBuffer>): void {
    this.#kept.push(chunk);
    this.#client.pause();
  }

  /** Takes the client back when the answers of the main thread have passed. */
  #takeBack(): void {
    if (!this.#passing || this.#missingBytes > 0 || this.#answeredBytes !== this.#answerBytes) return;
    this.#passing = false;
    this.#answeredBytes = undefined;
    this.#next();
  }

  #next(): void {
    const kept = this.#kept;
    this.#kept = [];
    const [first] = kept;
    if (first !== undefined) {
      this.#client.resume();
      this.#begin(kept.length === 1 ? first : Buffer.concat(kept));
    } else this.#endPassage();
  }

  /** Closes the connection when all has left, or at the end of the time. */
  #closeWithin(seconds: number): void {
    const client = this.#client;
    const timer = setTimeout(() => client.destroy(), seconds * 1000);
    client.once('close', () => {
      clearTimeout(timer);
    });
  }

  /** The client sends no more: neither does the main thread get more, once it has all. */
  #endPassage(): void {
    if (!this.#clientEnded || this.#kept.length > 0 || this.#current !== undefined) return;
    if (this.#hasPassed) this.#passage.end();
    else this.#onPassageEnd();
  }
}

function ignore(): void {
  // The `close` event that follows does the rest.
}
