import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { sha256, VerificationError } from '#sdk/transfer';
import { bytesText } from './report/amounts.js';
import { diskChecksum } from './commands.js';
import type { DiskFormat } from '../qemu/disk-format.js';
import { imageLocation, isImageLocation } from './image-location.js';
import { never } from './never.js';
import type { CommandResult } from './print-result.js';
import { checkReceipt, type CheckedReceipt } from './receipt-check.js';
import { RemoteImage, type RemoteOptions } from './remote-image.js';
import { UsageError } from './usage-error.js';

export interface ReceiptOptions extends RemoteOptions {
  readonly blockSize: number;
  /** A file that the receipt is kept in. */
  readonly save?: string | undefined;
  /** Whose key it has to be signed with. */
  readonly host?: string | undefined;
  /** Which the receipt has to be of. */
  readonly disk?: string | undefined;
  readonly format?: DiskFormat | undefined;
}

/**
 * Checks the receipt of an image, or one that was kept.
 * @throws VerificationError when it cannot be trusted, or is not that of the disk
 */
export async function receipt(place: string, options: ReceiptOptions): Promise<CommandResult> {
  const { cafile, host, save, disk, format } = options;
  if (cafile === undefined)
    throw new UsageError('--cafile names the authorities whose services a receipt is believed of');
  const authorities = await readFile(cafile, 'utf8');
  // Known before the work of minutes.
  if (save !== undefined && existsSync(save)) throw new Error(`${save} exists already`);
  const text = isImageLocation(place) ? await receiptOf(place, options) : await readFile(place, 'utf8');
  const checked = await checkReceipt(text, { authorities, host });
  if (save !== undefined) await writeFile(save, text, { flag: 'wx', mode: 0o600, flush: true });
  if (disk !== undefined) await requireDisk(checked, disk, format);
  return resultOf(checked, disk);
}

async function receiptOf(place: string, options: ReceiptOptions): Promise<string> {
  await using remote = await RemoteImage.open(imageLocation(place), options, never);
  return await remote.text(`receipt?algorithm=${sha256.algorithm}&block_size=${options.blockSize}`, never);
}

async function requireDisk(
  { claims }: CheckedReceipt,
  disk: string,
  format: DiskFormat | undefined,
): Promise<void> {
  if (claims.algorithm !== sha256.algorithm)
    throw new Error(`The receipt has a checksum by ${claims.algorithm}, files are hashed by sha256 only`);
  const { checksum, sizeBytes } = await diskChecksum(disk, claims.block_size, format);
  if (sizeBytes !== claims.size || checksum !== claims.checksum)
    throw new VerificationError(`${disk} is not the image of the receipt`, []);
}

function resultOf({ claims, algorithm, signedBy }: CheckedReceipt, disk: string | undefined): CommandResult {
  const { iat, size, checksum, block_size: blockBytes, received_bytes: received } = claims;
  const lines = [
    `signed by ${signedBy.join(', ')} at ${new Date(iat * 1000).toISOString()} with ${algorithm}`,
    `transfer ${claims.transfer_id}`,
    `${bytesText(size)} (${size} bytes), ${claims.algorithm} of blocks of ${blockBytes}: ${checksum}`,
    `${claims.durable_bytes} of ${received} bytes that were received are durable`,
    ...(disk === undefined ? [] : [`${disk} is that image`]),
  ];
  const json = {
    signed_by: signedBy,
    signature_algorithm: algorithm,
    disk_equal: disk !== undefined,
    claims,
  };
  return { text: lines.join('\n'), json };
}
