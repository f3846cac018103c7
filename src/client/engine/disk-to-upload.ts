import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { parse } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from '../../base/error-details.js';
import type { DiskFormat } from '../../qemu/disk-format.js';
import type { NewDisk } from './engine-api.js';

export interface DiskOptions {
  readonly storageDomain: string;
  readonly format?: 'raw' | 'qcow2' | undefined;
  readonly preallocated: boolean;
  readonly diskId?: string | undefined;
  readonly name?: string | undefined;
  readonly description: string;
}

const sectorBytes = 512;

/** The disk to be made for a file. @param sizeBytes of the disk that is in the file */
export async function diskFor(
  file: string,
  { fileFormat, sizeBytes }: { readonly fileFormat: DiskFormat; readonly sizeBytes: number },
  options: DiskOptions,
): Promise<NewDisk> {
  const contentType = fileFormat === 'raw' && (await isIso(file)) ? 'iso' : 'data';
  const { format = contentType === 'iso' ? 'raw' : 'qcow2', preallocated } = options;
  const sparse = !preallocated && contentType !== 'iso';
  return {
    id: options.diskId ?? randomUUID(),
    name: options.name ?? parse(file).name,
    description: options.description,
    contentType,
    format,
    sparse,
    sizeBytes: Math.ceil(sizeBytes / sectorBytes) * sectorBytes,
    initialBytes: format === 'qcow2' && sparse ? await measuredBytes(file, fileFormat) : undefined,
    storageDomain: options.storageDomain,
  };
}

/** ECMA-119, 8.1: the first volume descriptor, after 16 sectors of 2048 bytes: its type, then this. */
const isoIdentifier = { offsetBytes: 16 * 2048 + 1, text: 'CD001' } as const;

async function isIso(path: string): Promise<boolean> {
  const { offsetBytes, text } = isoIdentifier;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(text.length), 0, text.length, offsetBytes);
    return buffer.toString('latin1', 0, bytesRead) === text;
  } finally {
    await file.close();
  }
}

/**
 * How long a qcow2 file with all that is in it will be: block storage then need not be extended on the way.
 * @returns undefined when qemu-img is not there
 */
async function measuredBytes(file: string, format: DiskFormat): Promise<number | undefined> {
  try {
    const args = ['measure', '-f', format, '-O', 'qcow2', '--output', 'json', file];
    const { stdout } = await promisify(execFile)('qemu-img', args);
    return (JSON.parse(stdout) as { required: number }).required;
  } catch (error: unknown) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
