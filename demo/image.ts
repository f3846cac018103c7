import { createCipheriv, randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { MiB, type ByteRange } from '../src/base/units.js';
import { writeIso9660 } from './iso9660.js';

const readme = `This volume was moved by ovirt-imageio.\r
\r
DATA.BIN begins and ends with 24 MiB of random bytes; the 16 MiB between are a hole, which the extents show.\r
`;
const randomBytesEachEnd = 24 * MiB;
const holeBytes = 16 * MiB;

/**
 * Writes the image of the demo, a CD of 64 MiB: long enough to see a transfer interrupted.
 * @returns its size in bytes
 */
export async function writeDemoImage(path: string): Promise<number> {
  return writeIso9660(path, 'IMAGEIO_DEMO', [
    {
      name: 'README.TXT',
      sizeBytes: readme.length,
      write: (area) => writeAt(path, Buffer.from(readme, 'latin1'), area),
    },
    {
      name: 'DATA.BIN',
      sizeBytes: 2 * randomBytesEachEnd + holeBytes,
      write: async ({ offsetBytes }) => {
        await writeRandom(path, { offsetBytes, lengthBytes: randomBytesEachEnd });
        const secondOffsetBytes = offsetBytes + randomBytesEachEnd + holeBytes;
        await writeRandom(path, { offsetBytes: secondOffsetBytes, lengthBytes: randomBytesEachEnd });
      },
    },
  ]);
}

async function writeRandom(path: string, area: ByteRange): Promise<void> {
  const random = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  await writeAt(path, random.update(Buffer.alloc(area.lengthBytes)), area);
}

async function writeAt(path: string, bytes: Buffer, { offsetBytes }: ByteRange): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.write(bytes, 0, bytes.length, offsetBytes);
  } finally {
    await file.close();
  }
}
