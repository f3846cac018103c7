import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ByteRange } from '../../src/base/units.js';
import type { BenchServer } from '../server.js';

export type Transport = 'https' | 'unix';

/** An image as curl reaches it. */
export interface CurlTarget {
  readonly server: BenchServer;
  readonly transport: Transport;
  readonly ticketId: string;
  /** Of the url, with its question mark. */
  readonly query?: string;
}

/**
 * Downloads ranges at once, by a process for each, and drops the data.
 * @throws when one of them gets another number of bytes than asked for
 */
export async function download(target: CurlTarget, ranges: readonly ByteRange[]): Promise<void> {
  const output = ['--output', '/dev/null', '--write-out', '%{size_download}'];
  await Promise.all(
    ranges.map(async (range) => {
      const received = await curl(target, [...rangeArguments(range), ...output], text);
      assertReceived(Number(received), range);
    }),
  );
}

/** Downloads ranges at once and compares every byte with `image`. */
export async function downloadAndCompare(
  target: CurlTarget,
  ranges: readonly ByteRange[],
  image: string,
): Promise<void> {
  await Promise.all(
    ranges.map((range) => curl(target, rangeArguments(range), (received) => compare(received, image, range))),
  );
}

/**
 * Uploads a file to the start of the image, by a single process. The server flushes before it answers.
 * @param headers of the request, each a line
 * @throws when it is answered with anything but 200 or not all was sent
 */
export async function upload(
  target: CurlTarget,
  file: string,
  headers: readonly string[] = [],
): Promise<void> {
  const { size } = await stat(file);
  const named = ['Expect:', ...headers].flatMap((header) => ['--header', header]);
  const request = ['--upload-file', file, ...named];
  const output = ['--output', '/dev/null', '--write-out', '%{http_code} %{size_upload}'];
  const answer = await curl(target, [...request, ...output], text);
  if (answer !== `200 ${size}`) throw new Error(`An upload of ${size} bytes ended with: ${answer}`);
}

/** A file with a part of an image. */
export interface ImagePart {
  readonly file: string;
  readonly range: ByteRange;
}

/**
 * Uploads parts at once, by a process for each, and then flushes, as a client with several connections does.
 * @throws when one of them is answered with anything but 200 or not all of it was sent
 */
export async function uploadParts(target: CurlTarget, parts: readonly ImagePart[]): Promise<void> {
  const output = ['--output', '/dev/null', '--write-out', '%{http_code} %{size_upload}'];
  await Promise.all(
    parts.map(async ({ file, range: { offsetBytes, lengthBytes } }) => {
      const position = `Content-Range: bytes ${offsetBytes}-${offsetBytes + lengthBytes - 1}/*`;
      const request = ['--upload-file', file, '--header', 'Expect:', '--header', position];
      const answer = await curl({ ...target, query: '?flush=n' }, [...request, ...output], text);
      if (answer !== `200 ${lengthBytes}`)
        throw new Error(`An upload of ${lengthBytes} bytes ended with: ${answer}`);
    }),
  );
  await curl(target, ['--request', 'PATCH', '--data', '{"op":"flush"}', '--output', '/dev/null'], text);
}

/** Runs curl; `consume` reads what it prints. @throws when it fails, with its complaint */
async function curl<T>(
  { server, transport, ticketId, query = '' }: CurlTarget,
  args: readonly string[],
  consume: (output: Readable) => Promise<T>,
): Promise<T> {
  const common = ['-q', '--silent', '--show-error', '--fail', '--http1.1', '--noproxy', '*'];
  const connection =
    transport === 'https'
      ? ['--cacert', server.caFile, `${server.imageUrl(ticketId)}${query}`]
      : ['--unix-socket', server.localSocket, `http://localhost/images/${ticketId}${query}`];
  const child = spawn('curl', [...common, ...args, ...connection], { stdio: ['ignore', 'pipe', 'pipe'] });
  const complaint = text(child.stderr);
  const ended = once(child, 'close').then(async ([code]) => {
    if (code !== 0) throw new Error(`curl ended with ${String(code)}: ${await complaint}`);
  });
  const [, result] = await Promise.all([ended, consume(child.stdout)]);
  return result;
}

function rangeArguments({ offsetBytes, lengthBytes }: ByteRange): readonly string[] {
  return ['--range', `${offsetBytes}-${offsetBytes + lengthBytes - 1}`];
}

async function compare(received: Readable, image: string, range: ByteRange): Promise<void> {
  await using file = await open(image);
  let receivedBytes = 0;
  for await (const chunk of received) {
    const actual = chunk as Buffer;
    const position = range.offsetBytes + receivedBytes;
    const expected = Buffer.alloc(actual.length);
    await file.read(expected, 0, expected.length, position);
    if (!actual.equals(expected))
      throw new Error(`A download differs from the image in the ${actual.length} bytes at ${position}`);
    receivedBytes += actual.length;
  }
  assertReceived(receivedBytes, range);
}

function assertReceived(receivedBytes: number, { lengthBytes }: ByteRange): void {
  if (receivedBytes !== lengthBytes)
    throw new Error(`A download got ${receivedBytes} of ${lengthBytes} bytes`);
}
