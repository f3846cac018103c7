import { once } from 'node:events';
import type { DiskExtent } from '#sdk/transfer';
import { steadyExtents } from '#sdk/transfer/steady-extents';
import { bytesText } from './report/amounts.js';
import { detectFormat, type DiskFormat } from '../qemu/disk-format.js';
import { imageLocation, isImageLocation } from './image-location.js';
import { never } from './never.js';
import { LocalDisk } from './local-disk.js';
import type { CommandResult, OutputOptions } from './print-result.js';
import { RemoteImage, type RemoteOptions } from './remote-image.js';

/** Prints the extents of an image as they come. */
export async function showExtents(place: string, options: RemoteOptions & OutputOptions): Promise<undefined> {
  await using remote = await RemoteImage.open(imageLocation(place), options, never);
  const toLine = options.output === 'json' ? jsonExtent : textExtent;
  for await (const extent of steadyExtents(remote.image, remote.retrier, never)) {
    const line = toLine(extent);
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
  }
  return undefined;
}

function jsonExtent({ offsetBytes, lengthBytes, zero }: DiskExtent): string {
  return JSON.stringify({ event: 'extent', start: offsetBytes, length: lengthBytes, zero });
}

function textExtent({ offsetBytes, lengthBytes, zero }: DiskExtent): string {
  const places = [offsetBytes, lengthBytes].map((bytes) => String(bytes).padStart(16));
  return `${places.join(' ')}  ${zero ? 'zero' : 'data'}`;
}

/** What an image, or a file, is. */
export async function showInfo(
  place: string,
  options: RemoteOptions & { readonly format?: DiskFormat | undefined },
): Promise<CommandResult> {
  if (!isImageLocation(place)) {
    const format = options.format ?? (await detectFormat(place));
    await using local = await LocalDisk.openSource(place, format);
    const { sizeBytes } = local.disk;
    return {
      text: `${format}, ${bytesText(sizeBytes)} (${sizeBytes} bytes)`,
      json: { format, size: sizeBytes },
    };
  }
  await using remote = await RemoteImage.open(imageLocation(place), options, never);
  const { sizeBytes, capabilities } = remote.image;
  const { features, extensions, readersMax, writersMax } = capabilities;
  const text = [
    `${bytesText(sizeBytes)} (${sizeBytes} bytes)`,
    `features: ${features.join(', ')}`,
    `extensions: ${extensions.join(', ') || 'none'}`,
    `connections: ${readersMax} to read, ${writersMax} to write`,
  ].join('\n');
  return {
    text,
    json: { size: sizeBytes, features, extensions, max_readers: readersMax, max_writers: writersMax },
  };
}
