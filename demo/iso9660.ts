import { open } from 'node:fs/promises';
import type { ByteRange } from '../src/base/units.js';

/** A file of the image: its content, which `write` puts at a position of the image file. */
export interface IsoFile {
  /** ISO 9660 level 1: up to eight and three of A-Z, 0-9 and _. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly write: (area: ByteRange) => Promise<void>;
}

const sectorBytes = 2048;
const systemAreaSectors = 16;
const sector = {
  primaryDescriptor: systemAreaSectors,
  terminator: systemAreaSectors + 1,
  littleEndianPathTable: systemAreaSectors + 2,
  bigEndianPathTable: systemAreaSectors + 3,
  rootDirectory: systemAreaSectors + 4,
  firstFile: systemAreaSectors + 5,
} as const;
const pathTableBytes = 10;

/**
 * Writes an ISO 9660 (ECMA-119) image with files in its root directory: something that a person can mount or
 * open with any archive program, made without any program being installed.
 * @param files few enough for one directory sector, about 40
 * @returns the image's size in bytes
 */
export async function writeIso9660(
  path: string,
  volumeName: string,
  files: readonly IsoFile[],
): Promise<number> {
  const recordedAt = new Date();
  let nextSector: number = sector.firstFile;
  const placed = files.map((file) => {
    const firstSector = nextSector;
    nextSector += Math.ceil(file.sizeBytes / sectorBytes);
    return { ...file, firstSector };
  });
  const directory = rootDirectory(placed, recordedAt);
  const image = await open(path, 'w');
  try {
    await image.truncate(nextSector * sectorBytes);
    const put = (bytes: Buffer, at: number) => image.write(bytes, 0, bytes.length, at * sectorBytes);
    await put(primaryDescriptor(volumeName, nextSector, recordedAt), sector.primaryDescriptor);
    await put(terminator(), sector.terminator);
    await put(pathTable('little'), sector.littleEndianPathTable);
    await put(pathTable('big'), sector.bigEndianPathTable);
    await put(directory, sector.rootDirectory);
  } finally {
    await image.close();
  }
  for (const file of placed)
    await file.write({ offsetBytes: file.firstSector * sectorBytes, lengthBytes: file.sizeBytes });
  return nextSector * sectorBytes;
}

/** ECMA-119 8.4; offsets are the standard's byte positions less one. */
function primaryDescriptor(volumeName: string, sectors: number, recordedAt: Date): Buffer {
  const descriptor = Buffer.alloc(sectorBytes);
  descriptor.write('\x01CD001\x01', 0, 'latin1');
  text(descriptor, 8, 32, 'LINUX');
  text(descriptor, 40, 32, volumeName);
  bothEndian32(descriptor, 80, sectors);
  bothEndian16(descriptor, 120, 1);
  bothEndian16(descriptor, 124, 1);
  bothEndian16(descriptor, 128, sectorBytes);
  bothEndian32(descriptor, 132, pathTableBytes);
  descriptor.writeUInt32LE(sector.littleEndianPathTable, 140);
  descriptor.writeUInt32BE(sector.bigEndianPathTable, 148);
  rootRecord('\0', recordedAt).copy(descriptor, 156);
  // Volume set, publisher, preparer, application and three file identifiers are not given.
  text(descriptor, 190, 623, '');
  text(descriptor, 813, 17, `${recordedAt.toISOString().replace(/\D/g, '').slice(0, 16)}\0`);
  for (const offset of [830, 847, 864]) text(descriptor, offset, 17, `${'0'.repeat(16)}\0`);
  descriptor.writeUInt8(1, 881);
  return descriptor;
}

function terminator(): Buffer {
  const descriptor = Buffer.alloc(sectorBytes);
  descriptor.write('\xffCD001\x01', 0, 'latin1');
  return descriptor;
}

/** ECMA-119 9.4: one entry, the root directory, which is its own parent. */
function pathTable(order: 'little' | 'big'): Buffer {
  const table = Buffer.alloc(pathTableBytes);
  table.writeUInt8(1, 0);
  if (order === 'little') {
    table.writeUInt32LE(sector.rootDirectory, 2);
    table.writeUInt16LE(1, 6);
  } else {
    table.writeUInt32BE(sector.rootDirectory, 2);
    table.writeUInt16BE(1, 6);
  }
  return table;
}

function rootDirectory(
  files: readonly { readonly name: string; readonly firstSector: number; readonly sizeBytes: number }[],
  recordedAt: Date,
): Buffer {
  // The standard wants the records sorted by name; the two of the directory itself and its parent come first.
  const records = [...files]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .map((file) => directoryRecord(`${file.name};1`, file.firstSector, file.sizeBytes, 0, recordedAt));
  const directory = Buffer.concat([rootRecord('\0', recordedAt), rootRecord('\x01', recordedAt), ...records]);
  if (directory.length > sectorBytes)
    throw new Error(`${files.length} files do not fit into one directory sector`);
  return Buffer.concat([directory, Buffer.alloc(sectorBytes - directory.length)]);
}

function rootRecord(identifier: string, recordedAt: Date): Buffer {
  const directoryFlag = 2;
  return directoryRecord(identifier, sector.rootDirectory, sectorBytes, directoryFlag, recordedAt);
}

/** ECMA-119 9.1. */
function directoryRecord(
  identifier: string,
  firstSector: number,
  sizeBytes: number,
  flags: number,
  recordedAt: Date,
): Buffer {
  const length = 33 + identifier.length;
  const record = Buffer.alloc(length + (length % 2));
  record.writeUInt8(record.length, 0);
  bothEndian32(record, 2, firstSector);
  bothEndian32(record, 10, sizeBytes);
  const date = [
    recordedAt.getUTCFullYear() - 1900,
    recordedAt.getUTCMonth() + 1,
    recordedAt.getUTCDate(),
    recordedAt.getUTCHours(),
    recordedAt.getUTCMinutes(),
    recordedAt.getUTCSeconds(),
    0,
  ];
  Buffer.from(date).copy(record, 18);
  record.writeUInt8(flags, 25);
  bothEndian16(record, 28, 1);
  record.writeUInt8(identifier.length, 32);
  record.write(identifier, 33, 'latin1');
  return record;
}

function text(target: Buffer, offset: number, length: number, value: string): void {
  target.write(value.padEnd(length), offset, length, 'latin1');
}

function bothEndian16(target: Buffer, offset: number, value: number): void {
  target.writeUInt16LE(value, offset);
  target.writeUInt16BE(value, offset + 2);
}

function bothEndian32(target: Buffer, offset: number, value: number): void {
  target.writeUInt32LE(value, offset);
  target.writeUInt32BE(value, offset + 4);
}
