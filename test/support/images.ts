import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { MiB, type ByteRange } from '../../src/base/units.js';

/**
 * Writes an image of random bytes: an AES-CTR key stream, a GiB of which takes about a second.
 * @param seed the same seed gives the same bytes
 */
export async function writeRandomImage(
  path: string,
  sizeBytes: number,
  seed = randomBytes(16),
): Promise<void> {
  await writeSparseImage(path, sizeBytes, [{ offsetBytes: 0, lengthBytes: sizeBytes }], seed);
}

/** Writes an image with random bytes in `data` and holes everywhere else. */
export async function writeSparseImage(
  path: string,
  sizeBytes: number,
  data: readonly ByteRange[],
  seed = randomBytes(16),
): Promise<void> {
  const random = createCipheriv('aes-128-ctr', seed.subarray(0, 16), Buffer.alloc(16));
  const zeroes = Buffer.alloc(MiB);
  const file = await open(path, 'w');
  try {
    await file.truncate(sizeBytes);
    for (const range of data) {
      for (let written = 0; written < range.lengthBytes;) {
        const chunk = random.update(zeroes.subarray(0, Math.min(MiB, range.lengthBytes - written)));
        await file.write(chunk, 0, chunk.length, range.offsetBytes + written);
        written += chunk.length;
      }
    }
  } finally {
    await file.close();
  }
}

/** Hex SHA-256 of a file, or of a part of it, in constant memory. */
export async function sha256OfFile(path: string, range?: ByteRange): Promise<string> {
  const hash = createHash('sha256');
  if (range?.lengthBytes === 0) return hash.digest('hex');
  const part =
    range === undefined ? {} : { start: range.offsetBytes, end: range.offsetBytes + range.lengthBytes - 1 };
  for await (const chunk of createReadStream(path, { ...part, highWaterMark: MiB }))
    hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/**
 * Compares two images byte by byte, as cmp(1) does.
 * @throws saying where they first differ or which is longer
 */
export async function assertSameImage(actualPath: string, expectedPath: string): Promise<void> {
  await using actual = await open(actualPath);
  await using expected = await open(expectedPath);
  const [actualBytes, expectedBytes] = [Buffer.alloc(MiB), Buffer.alloc(MiB)];
  const { size: actualSizeBytes } = await stat(actualPath);
  const { size: expectedSizeBytes } = await stat(expectedPath);
  for (let offset = 0; offset < Math.min(actualSizeBytes, expectedSizeBytes); offset += MiB) {
    const [one, other] = await Promise.all([
      actual.read(actualBytes, 0, MiB, offset),
      expected.read(expectedBytes, 0, MiB, offset),
    ]);
    const length = Math.min(one.bytesRead, other.bytesRead);
    if (actualBytes.compare(expectedBytes, 0, length, 0, length) === 0) continue;
    const position = actualBytes
      .subarray(0, length)
      .findIndex((byte, index) => byte !== expectedBytes[index]);
    throw new Error(`${actualPath} differs from ${expectedPath} at byte ${offset + position}`);
  }
  if (actualSizeBytes !== expectedSizeBytes)
    throw new Error(
      `${actualPath} has ${actualSizeBytes} bytes, ${expectedPath} has ${expectedSizeBytes}; alike up to ` +
        `the shorter's end`,
    );
}
