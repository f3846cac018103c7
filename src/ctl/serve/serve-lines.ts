import { formatBytes } from '../ticket-table.js';
import type { ServedDisk } from './served-disk.js';

export interface Offer {
  readonly disk: ServedDisk;
  readonly transferUrl: string;
  readonly cafile: string | undefined;
  readonly writable: boolean;
  readonly bitmap: string | undefined;
  readonly expires: Date;
}

/** What people read: what is served, and commands to paste. */
export function offerText({ disk, transferUrl, cafile, writable, bitmap, expires }: Offer): string {
  const authority = cafile === undefined ? [] : ['--cafile', cafile];
  const curlAuthority = cafile === undefined ? [] : ['--cacert', cafile];
  // It refuses plain HTTP, as a daemon without TLS has it.
  const isForImageio = transferUrl.startsWith('https:');
  const commands = [
    ...(isForImageio ? [['imageio', 'download', transferUrl, 'disk.raw', ...authority]] : []),
    ['curl', ...curlAuthority, '--output', 'disk.raw', transferUrl],
    ...(bitmap === undefined ? [] : [['curl', ...curlAuthority, `${transferUrl}/extents?context=dirty`]]),
  ];
  const uploads = [
    ...(isForImageio ? [['imageio', 'upload', 'disk.raw', transferUrl, ...authority]] : []),
    ['curl', ...curlAuthority, '--upload-file', 'disk.raw', transferUrl],
  ];
  return [
    `Serving ${disk.path} (${disk.format}, ${formatBytes(disk.sizeBytes)}) until ` +
      `${expires.toISOString()}, or Ctrl-C:`,
    '',
    `  ${transferUrl}`,
    '',
    ...(writable ? [...uploads, ...commands] : commands).map((words) => `  ${words.map(quoted).join(' ')}`),
    '',
    '',
  ].join('\n');
}

/** What programs read, on one line. */
export function offerJson({ disk, transferUrl, cafile, writable, bitmap, expires }: Offer): string {
  return `${JSON.stringify({
    transfer_url: transferUrl,
    cafile: cafile ?? null,
    ops: writable ? ['read', 'write'] : ['read'],
    size: disk.sizeBytes,
    format: disk.format,
    dirty: bitmap !== undefined,
    expires: expires.toISOString(),
  })}\n`;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
