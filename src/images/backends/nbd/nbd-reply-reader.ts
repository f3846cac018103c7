import {
  type ChunkHeader,
  chunkHeaderBytes,
  chunkOffsetBytes,
  chunkType,
  contextIdBytes,
  decodeChunkHeader,
  decodeErrorChunk,
  decodeSimpleReply,
  descriptorBytes,
  errorChunkBytesMax,
  errorChunkBytesMin,
  holeChunkBytes,
  isChunk,
  readUint64,
  simpleReplyBytes,
} from './nbd-codec.js';
import { NbdProtocolError } from './nbd-errors.js';
import type { PendingRequest } from './nbd-pending-request.js';

/**
 * The most descriptors of one context in a reply. QEMU sends at most 131072, nbdkit 1048576; 8 MiB at the
 * most are allocated because a server said so.
 */
const descriptorsMax = 1024 * 1024;
/** Below this, one more system call costs more than copying. */
const directBytesMin = 8 * 1024;

/**
 * Understands the replies of a server: finds the request of each by its cookie, puts the data of
 * reads where it belongs, and finishes requests. Fed with pieces of the stream of any length; keeps
 * nothing but the message at hand.
 */
export class NbdReplyReader {
  readonly #pending: Map<number, PendingRequest>;
  readonly #structuredReplies: boolean;
  /** The fixed-size field that is being gathered, and what to do when it is complete. */
  readonly #header = Buffer.allocUnsafe(chunkHeaderBytes);
  #field: Buffer = this.#header;
  #gatheredBytes = 0;
  #neededBytes = simpleReplyBytes;
  #fieldComplete: (field: Buffer) => void;
  /** The rest of the data that is being received, if any. */
  #data: Uint8Array | undefined;
  #dataComplete: () => void;
  #lastReadHadHole = false;

  /** @param pending by cookie; requests are taken out as they finish */
  constructor(pending: Map<number, PendingRequest>, structuredReplies: boolean) {
    this.#pending = pending;
    this.#structuredReplies = structuredReplies;
    this.#fieldComplete = this.#replyBegun;
    this.#dataComplete = this.#expectReply;
  }

  /** Of the read that was answered last, by a server that reports holes. */
  get lastReadHadHole(): boolean {
    return this.#lastReadHadHole;
  }

  /** See {@link ByteConsumer}. */
  directTarget(): Uint8Array | undefined {
    return this.#data !== undefined && this.#data.length >= directBytesMin ? this.#data : undefined;
  }

  filled(count: number): void {
    if (this.#data === undefined) throw new NbdProtocolError('data that nobody asked for');
    if (count < this.#data.length) {
      this.#data = this.#data.subarray(count);
    } else {
      this.#data = undefined;
      this.#dataComplete();
    }
  }

  /** @throws NbdProtocolError when the bytes are no reply to what is pending; the reader is useless then */
  consume(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#data !== undefined) {
        const count = Math.min(this.#data.length, bytes.length - at);
        this.#data.set(bytes.subarray(at, at + count));
        at += count;
        this.filled(count);
      } else {
        const count = Math.min(this.#neededBytes - this.#gatheredBytes, bytes.length - at);
        bytes.copy(this.#field, this.#gatheredBytes, at, at + count);
        at += count;
        this.#gatheredBytes += count;
        if (this.#gatheredBytes === this.#neededBytes)
          this.#fieldComplete(this.#field.subarray(0, this.#neededBytes));
      }
    }
  }

  readonly #expectReply = (): void => {
    this.#expect(simpleReplyBytes, this.#replyBegun, this.#header);
  };

  /** @param memory where to gather the field, if it is to be kept or does not fit into that of the header */
  #expect(lengthBytes: number, complete: (field: Buffer) => void, memory: Buffer): void {
    this.#field = memory;
    this.#gatheredBytes = 0;
    this.#neededBytes = lengthBytes;
    this.#fieldComplete = complete;
  }

  #expectData(target: Uint8Array, complete: () => void): void {
    this.#data = target;
    this.#dataComplete = complete;
  }

  readonly #replyBegun = (field: Buffer): void => {
    if (!isChunk(field)) {
      this.#simpleReply(field);
      return;
    }
    if (!this.#structuredReplies) throw new NbdProtocolError('a structured reply that was not negotiated');
    this.#neededBytes = chunkHeaderBytes;
    this.#fieldComplete = this.#chunkBegun;
  };

  #simpleReply(field: Buffer): void {
    const { cookie, error } = decodeSimpleReply(field);
    const request = this.#find(cookie);
    if (error !== 0) {
      request.addError(error);
    } else if (request.target !== undefined) {
      if (this.#structuredReplies)
        throw new NbdProtocolError('a simple reply to a read, though structured was agreed');
      this.#expectData(request.claim(request.range.offsetBytes, request.range.lengthBytes), () => {
        this.#endReply(cookie, request);
      });
      return;
    }
    this.#endReply(cookie, request);
  }

  readonly #chunkBegun = (field: Buffer): void => {
    const chunk = decodeChunkHeader(field);
    const request = this.#find(chunk.cookie);
    if (chunk.isError) this.#errorChunk(chunk, request);
    else if (chunk.type === chunkType.none) this.#noneChunk(chunk, request);
    else if (chunk.type === chunkType.offsetData) this.#dataChunk(chunk, request);
    else if (chunk.type === chunkType.offsetHole) this.#holeChunk(chunk, request);
    else if (chunk.type === chunkType.blockStatus) this.#blockStatusChunk(chunk, request);
    else throw new NbdProtocolError(`unknown chunk type ${chunk.type}`);
  };

  #noneChunk(chunk: ChunkHeader, request: PendingRequest): void {
    if (chunk.payloadBytes !== 0 || !chunk.done)
      throw new NbdProtocolError('an empty chunk that is not the last');
    this.#endChunk(chunk, request);
  }

  #dataChunk(chunk: ChunkHeader, request: PendingRequest): void {
    const lengthBytes = chunk.payloadBytes - chunkOffsetBytes;
    // Before its offset is known: a length beyond the request is wrong wherever it begins.
    if (lengthBytes <= 0 || lengthBytes > request.range.lengthBytes) {
      throw new NbdProtocolError(
        `a chunk of ${lengthBytes} bytes for a request of ${request.range.lengthBytes}`,
      );
    }
    const complete = (field: Buffer): void => {
      this.#expectData(request.claim(readUint64(field, 0), lengthBytes), () => {
        this.#endChunk(chunk, request);
      });
    };
    this.#expect(chunkOffsetBytes, complete, this.#header);
  }

  #holeChunk(chunk: ChunkHeader, request: PendingRequest): void {
    if (chunk.payloadBytes !== holeChunkBytes)
      throw new NbdProtocolError(`a hole chunk of ${chunk.payloadBytes} bytes`);
    const complete = (field: Buffer): void => {
      request.addHole(readUint64(field, 0), field.readUInt32BE(chunkOffsetBytes));
      this.#endChunk(chunk, request);
    };
    this.#expect(holeChunkBytes, complete, this.#header);
  }

  #blockStatusChunk(chunk: ChunkHeader, request: PendingRequest): void {
    const descriptorsBytes = chunk.payloadBytes - contextIdBytes;
    if (descriptorsBytes <= 0 || descriptorsBytes % descriptorBytes !== 0) {
      throw new NbdProtocolError(`a block status chunk of ${chunk.payloadBytes} bytes`);
    }
    if (descriptorsBytes > descriptorsMax * descriptorBytes || request.command !== 'blockStatus') {
      throw new NbdProtocolError(`${descriptorsBytes} bytes of block status for ${request.command}`);
    }
    const complete = (field: Buffer): void => {
      request.addBlockStatus(field.readUInt32BE(0), field.subarray(contextIdBytes));
      this.#endChunk(chunk, request);
    };
    this.#expect(chunk.payloadBytes, complete, Buffer.allocUnsafe(chunk.payloadBytes));
  }

  #errorChunk(chunk: ChunkHeader, request: PendingRequest): void {
    if (chunk.payloadBytes < errorChunkBytesMin || chunk.payloadBytes > errorChunkBytesMax) {
      throw new NbdProtocolError(`an error chunk of ${chunk.payloadBytes} bytes`);
    }
    const complete = (field: Buffer): void => {
      const { error, message } = decodeErrorChunk(chunk.type, field);
      request.addError(error, message);
      this.#endChunk(chunk, request);
    };
    this.#expect(chunk.payloadBytes, complete, Buffer.allocUnsafe(chunk.payloadBytes));
  }

  #endChunk(chunk: ChunkHeader, request: PendingRequest): void {
    if (chunk.done) this.#endReply(chunk.cookie, request);
    else this.#expectReply();
  }

  #endReply(cookie: number, request: PendingRequest): void {
    this.#expectReply();
    request.finish();
    this.#pending.delete(cookie);
    if (request.target !== undefined) this.#lastReadHadHole = request.hasHole;
  }

  #find(cookie: number): PendingRequest {
    const request = this.#pending.get(cookie);
    if (request === undefined) throw new NbdProtocolError('a reply to a request that was not made');
    return request;
  }
}
