/**
 * The bytes of the NBD transmission phase: requests, simple replies and the chunks of structured replies.
 * All integers are big endian. Names follow the NBD protocol document, "Transmission phase".
 */
import { NbdProtocolError } from './nbd-errors.js';

export const command = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  writeZeroes: 6,
  blockStatus: 7,
} as const;
export type CommandName = keyof typeof command;

/** NBD_CMD_FLAG_NO_HOLE: the zeroed range keeps its storage. */
export const noHoleFlag = 1 << 1;

export const chunkType = { none: 0, offsetData: 1, offsetHole: 2, blockStatus: 5 } as const;
/** Types with this bit set report an error, also those that are not known by name. */
const errorTypeBit = 1 << 15;
const errorOffsetType = errorTypeBit + 2;
const doneFlag = 1 << 0;

export const requestBytes = 28;
export const simpleReplyBytes = 16;
export const chunkHeaderBytes = 20;
/** What comes before the data of an OFFSET_DATA chunk. */
export const chunkOffsetBytes = 8;
export const holeChunkBytes = 12;
export const descriptorBytes = 8;
/** Bytes before the first descriptor of a BLOCK_STATUS chunk: the context id. */
export const contextIdBytes = 4;
/**
 * Error number and length of the message; a string of the protocol has at most 4096
 * bytes, and an offset may follow it.
 */
export const errorChunkBytesMin = 6;
export const errorChunkBytesMax = errorChunkBytesMin + 4096 + 8;

const requestMagic = 0x25609513;
const simpleReplyMagic = 0x67446698;
const chunkMagic = 0x668e33ef;

export interface NbdRequest {
  readonly command: CommandName;
  readonly flags: number;
  /** Chosen by the client, unique among the requests in flight; the reply carries it. */
  readonly cookie: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** The 28 bytes of a request; the data of a WRITE follows them. */
export function encodeRequest(request: NbdRequest): Buffer {
  const bytes = Buffer.allocUnsafe(requestBytes);
  bytes.writeUInt32BE(requestMagic, 0);
  bytes.writeUInt16BE(request.flags, 4);
  bytes.writeUInt16BE(command[request.command], 6);
  writeUint64(bytes, request.cookie, 8);
  writeUint64(bytes, request.offsetBytes, 16);
  bytes.writeUInt32BE(request.lengthBytes, 24);
  return bytes;
}

/** Both kinds of reply begin with a magic number, and the shorter of them has 16 bytes. */
export function isChunk(reply: Buffer): boolean {
  const magic = reply.readUInt32BE(0);
  if (magic !== chunkMagic && magic !== simpleReplyMagic) {
    throw new NbdProtocolError(`reply magic 0x${magic.toString(16)}`);
  }
  return magic === chunkMagic;
}

export interface SimpleReply {
  /** 0 is success. */
  readonly error: number;
  readonly cookie: number;
}

export function decodeSimpleReply(reply: Buffer): SimpleReply {
  return { error: reply.readUInt32BE(4), cookie: readCookie(reply, 8) };
}

export interface ChunkHeader {
  readonly type: number;
  /** No chunk follows for this request. */
  readonly done: boolean;
  readonly isError: boolean;
  readonly cookie: number;
  /** Bytes after the header. Up to 4 GiB - 1: the reader checks it against what the request allows. */
  readonly payloadBytes: number;
}

export function decodeChunkHeader(header: Buffer): ChunkHeader {
  const type = header.readUInt16BE(6);
  return {
    type,
    done: (header.readUInt16BE(4) & doneFlag) !== 0,
    isError: (type & errorTypeBit) !== 0,
    cookie: readCookie(header, 8),
    payloadBytes: header.readUInt32BE(16),
  };
}

export interface ErrorChunk {
  readonly error: number;
  readonly message: string;
}

/** @param payload of an error chunk, 6 bytes at least */
export function decodeErrorChunk(type: number, payload: Buffer): ErrorChunk {
  const error = payload.readUInt32BE(0);
  const messageEnd = errorChunkBytesMin + payload.readUInt16BE(4);
  const expectedBytes = type === errorOffsetType ? messageEnd + 8 : messageEnd;
  if (error === 0) throw new NbdProtocolError('an error chunk that reports success');
  // Types unknown to us may carry more after the message.
  if (payload.length < expectedBytes) {
    throw new NbdProtocolError(`an error chunk of ${payload.length} bytes that needs ${expectedBytes}`);
  }
  return { error, message: payload.toString('utf8', errorChunkBytesMin, messageEnd) };
}

const errorNames = new Map([
  [1, 'EPERM'],
  [5, 'EIO'],
  [12, 'ENOMEM'],
  [22, 'EINVAL'],
  [28, 'ENOSPC'],
  [75, 'EOVERFLOW'],
  [95, 'ENOTSUP'],
  [108, 'ESHUTDOWN'],
]);

/** The protocol has clients take an error that it does not name for EINVAL. */
export function errorName(error: number): string {
  return errorNames.get(error) ?? 'EINVAL';
}

/** @throws NbdProtocolError for values that a `number` cannot hold exactly; no image is that large */
export function readUint64(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64BE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new NbdProtocolError(`a number out of range: ${value}`);
  return Number(value);
}

function writeUint64(bytes: Buffer, value: number, at: number): void {
  bytes.writeBigUInt64BE(BigInt(value), at);
}

/**
 * Rounds what is out of range, to values that no request of ours has: an unknown cookie
 * is found out by looking it up.
 */
function readCookie(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
