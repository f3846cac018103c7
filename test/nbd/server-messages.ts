/** What an NBD server sends, written down apart from the client's codec so that one checks the other. */

export const fixedNewstyle = 1;
export const noZeroes = 2;

/** Transmission flags of an ordinary export: flags are valid, FLUSH and WRITE_ZEROES can be sent. */
export const ordinaryFlags = 0x1 | 0x4 | 0x40;
export const readOnlyFlag = 0x2;

export const replyType = {
  acknowledge: 1,
  info: 3,
  metaContext: 4,
  unsupported: 0x80000001,
  tlsRequired: 0x80000005,
  unknown: 0x80000006,
};

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

export function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index));
  return bytes;
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export function greeting(flags = fixedNewstyle | noZeroes): Buffer {
  return Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), u16(flags)]);
}

export function optionReply(option: number, type: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([u64(0x3e889045565a9n), u32(option, type, payload.length), payload]);
}

export function infoExport(sizeBytes: number | bigint, flags = ordinaryFlags): Buffer {
  return Buffer.concat([u16(0), u64(sizeBytes), u16(flags)]);
}

export function infoBlockSize(minimum: number, preferred: number, maximum: number): Buffer {
  return Buffer.concat([u16(3), u32(minimum, preferred, maximum)]);
}

export function metaContext(id: number, name: string): Buffer {
  return Buffer.concat([u32(id), Buffer.from(name)]);
}

export function simpleReply(cookie: number, error = 0, data: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([u32(0x67446698, error), u64(cookie), data]);
}

export function chunk(cookie: number, type: number, payload: Buffer, done: boolean): Buffer {
  return Buffer.concat([
    u32(0x668e33ef),
    u16(done ? 1 : 0),
    u16(type),
    u64(cookie),
    u32(payload.length),
    payload,
  ]);
}

export function noneChunk(cookie: number): Buffer {
  return chunk(cookie, 0, Buffer.alloc(0), true);
}

export function dataChunk(cookie: number, offsetBytes: number, data: Uint8Array, done = false): Buffer {
  return chunk(cookie, 1, Buffer.concat([u64(offsetBytes), data]), done);
}

export function holeChunk(cookie: number, offsetBytes: number, lengthBytes: number, done = false): Buffer {
  return chunk(cookie, 2, Buffer.concat([u64(offsetBytes), u32(lengthBytes)]), done);
}

/** @param descriptors length and flags of each extent */
export function statusChunk(
  cookie: number,
  contextId: number,
  descriptors: readonly (readonly [number, number])[],
  done = false,
): Buffer {
  return chunk(cookie, 5, Buffer.concat([u32(contextId), ...descriptors.map((pair) => u32(...pair))]), done);
}

export function errorChunk(cookie: number, error: number, message = '', done = true): Buffer {
  const text = Buffer.from(message);
  return chunk(cookie, 0x8001, Buffer.concat([u32(error), u16(text.length), text]), done);
}

export function errorOffsetChunk(cookie: number, error: number, offsetBytes: number, done = true): Buffer {
  return chunk(cookie, 0x8002, Buffer.concat([u32(error), u16(0), u64(offsetBytes)]), done);
}
