/**
 * The bytes of the NBD handshake, "fixed newstyle": greeting, options and their
 * replies. All integers are big endian.
 */
import { readUint64 } from './nbd-codec.js';
import { NbdConnectionError, NbdProtocolError } from './nbd-errors.js';

const initMagic = Buffer.from('NBDMAGIC');
const optionMagic = Buffer.from('IHAVEOPT');
const oldstyleMagic = Buffer.from('0000420281861253', 'hex');
const optionReplyMagic = Buffer.from('0003e889045565a9', 'hex');

export const option = {
  exportName: 1,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;
export type OptionName = keyof typeof option;

export const optionReply = { acknowledge: 1, info: 3, metaContext: 4 } as const;
const errorReplyBit = 2 ** 31;
export const optionError = {
  unsupported: errorReplyBit + 1,
  tlsRequired: errorReplyBit + 5,
  unknownExport: errorReplyBit + 6,
} as const;

export const infoType = { export: 0, blockSize: 3 } as const;

/** Bits of the handshake flags that both sides send. */
export const handshakeFlag = { fixedNewstyle: 1 << 0, noZeroes: 1 << 1 } as const;
/** Bits of the transmission flags of an export. */
export const exportFlag = {
  hasFlags: 1 << 0,
  readOnly: 1 << 1,
  sendFlush: 1 << 2,
  sendWriteZeroes: 1 << 6,
  canMultiConn: 1 << 8,
} as const;

export const greetingBytes = 18;
export const optionReplyHeaderBytes = 20;
/**
 * Size and transmission flags, the answer to NBD_OPT_EXPORT_NAME; 124 unused bytes follow unless both
 * sides agreed to leave them out.
 */
export const exportNameReplyBytes = 10;
export const exportNamePaddingBytes = 124;
/** The longest option reply that can make sense has a string of 4096 bytes and a few integers. */
export const optionReplyBytesMax = 8192;

/** @returns the server's handshake flags */
export function decodeGreeting(bytes: Buffer): number {
  if (!bytes.subarray(0, 8).equals(initMagic)) throw new NbdProtocolError('this is not an NBD server');
  if (bytes.subarray(8, 16).equals(oldstyleMagic)) {
    throw new NbdConnectionError('The NBD server speaks only the oldstyle handshake, which is not supported');
  }
  if (!bytes.subarray(8, 16).equals(optionMagic)) throw new NbdProtocolError('unknown handshake');
  return bytes.readUInt16BE(16);
}

export function encodeClientFlags(flags: number): Buffer {
  return uint32(flags);
}

export function encodeOption(name: OptionName, data: Buffer): Buffer {
  return Buffer.concat([optionMagic, uint32(option[name]), uint32(data.length), data]);
}

/** The data of NBD_OPT_GO: which export, and that we will respect its block sizes. */
export function encodeGo(exportName: string): Buffer {
  return Buffer.concat([lengthAndText(exportName), uint16(1), uint16(infoType.blockSize)]);
}

/** The data of NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT. */
export function encodeMetaContextQueries(exportName: string, queries: readonly string[]): Buffer {
  return Buffer.concat([lengthAndText(exportName), uint32(queries.length), ...queries.map(lengthAndText)]);
}

export interface OptionReplyHeader {
  readonly type: number;
  readonly isError: boolean;
  readonly payloadBytes: number;
}

/** @throws NbdProtocolError if it is no reply, answers another option or announces more than 8 KiB */
export function decodeOptionReplyHeader(name: OptionName, bytes: Buffer): OptionReplyHeader {
  if (!bytes.subarray(0, 8).equals(optionReplyMagic))
    throw new NbdProtocolError('bad magic of an option reply');
  if (bytes.readUInt32BE(8) !== option[name]) throw new NbdProtocolError('a reply to another option');
  const type = bytes.readUInt32BE(12);
  const payloadBytes = bytes.readUInt32BE(16);
  if (payloadBytes > optionReplyBytesMax)
    throw new NbdProtocolError(`an option reply of ${payloadBytes} bytes`);
  return { type, isError: type >= errorReplyBit, payloadBytes };
}

export interface ExportBasics {
  readonly sizeBytes: number;
  readonly flags: number;
}

/**
 * Decodes size and flags as they stand at `at`, in NBD_INFO_EXPORT and in the answer to
 * NBD_OPT_EXPORT_NAME.
 */
export function decodeExportBasics(bytes: Buffer, at: number): ExportBasics {
  return { sizeBytes: readUint64(bytes, at), flags: bytes.readUInt16BE(at + 8) };
}

export interface BlockSizes {
  /** Offsets and lengths of requests must be multiples of it. A power of two, 1 … 65536. */
  readonly minimumBytes: number;
  /** The most data of one READ or WRITE. A multiple of the minimum. */
  readonly maximumBytes: number;
}

/** Decodes the payload of NBD_INFO_BLOCK_SIZE: type, minimum, preferred, maximum. */
export function decodeBlockSizes(payload: Buffer): BlockSizes {
  requireLength(payload, 14);
  const minimumBytes = payload.readUInt32BE(2);
  const maximumBytes = payload.readUInt32BE(10);
  const isPowerOfTwo = minimumBytes > 0 && (minimumBytes & (minimumBytes - 1)) === 0;
  if (!isPowerOfTwo || minimumBytes > 65536 || maximumBytes < minimumBytes) {
    throw new NbdProtocolError(`block sizes ${minimumBytes} to ${maximumBytes}`);
  }
  return { minimumBytes, maximumBytes };
}

export function decodeInfoType(payload: Buffer): number {
  requireLength(payload, 2);
  return payload.readUInt16BE(0);
}

export function decodeInfoExport(payload: Buffer): ExportBasics {
  requireLength(payload, 12);
  return decodeExportBasics(payload, 2);
}

export interface MetaContext {
  readonly id: number;
  readonly name: string;
}

export function decodeMetaContext(payload: Buffer): MetaContext {
  requireLength(payload, 5);
  return { id: payload.readUInt32BE(0), name: payload.toString('utf8', 4) };
}

function requireLength(payload: Buffer, bytesMin: number): void {
  if (payload.length < bytesMin) {
    throw new NbdProtocolError(`an option reply of ${payload.length} bytes that needs ${bytesMin}`);
  }
}

function lengthAndText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function uint16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
