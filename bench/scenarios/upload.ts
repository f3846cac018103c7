import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { assertSameImage } from '../../test/support/images.js';
import { upload, type CurlTarget, type Transport } from '../clients/curl.js';
import { dropFromPageCache } from '../page-cache.js';
import type { Side } from '../side.js';
import type { Stand } from '../stand.js';
import type { Scenario, Subject } from './scenario.js';

const samplesCount = 64;
const sampleBytes = 4096;

/**
 * PUT of the whole image over one connection, flushed. The warm-up allocates the file; runs overwrite it with
 * another source's data.
 */
export class UploadScenario implements Scenario {
  constructor(
    readonly name: string,
    readonly title: string,
    private readonly transport: Transport,
  ) {}

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const { target, image } = await startUploads(stand, side, lifetime, this.transport);
    return uploads(stand, target, image);
  }
}

/** A server with a ticket for an empty image. */
export async function startUploads(
  stand: Stand,
  side: Side,
  lifetime: AsyncDisposableStack,
  transport: Transport,
): Promise<{ readonly target: CurlTarget; readonly image: string }> {
  const image = await makeTarget(stand, side, lifetime);
  const server = await stand.startServer(side, lifetime);
  const ticketId = 'upload';
  await server.addTicket({
    id: ticketId,
    url: pathToFileURL(image).href,
    sizeBytes: stand.options.imageBytes,
    ops: ['read', 'write'],
  });
  return { target: { server, transport, ticketId }, image };
}

/**
 * @param image the file that uploads end up in
 * @param send uploads the source of a round
 */
export function uploads(
  stand: Stand,
  target: CurlTarget,
  image: string,
  send: (round: number) => Promise<void> = (round) => upload(target, stand.source(round)),
): Subject {
  // The round before the first one, so that the first run brings new data.
  const warmUpRound = 1;
  return {
    measured: [target.server],
    warmUp: async () => {
      await send(warmUpRound);
      await assertSameImage(image, stand.source(warmUpRound));
    },
    beforeRun: () => dropFromPageCache(image),
    run: async (round) => {
      await send(round);
      return {};
    },
    afterRun: (round) => assertSimilarImage(image, stand.source(round)),
  };
}

/** An empty image of the right size. */
export async function makeTarget(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<string> {
  const image = join(stand.folder, `${side.name}-target.img`);
  await using file = await open(image, 'w');
  await file.truncate(stand.options.imageBytes);
  lifetime.defer(async () => {
    await using emptied = await open(image, 'w');
    await emptied.truncate(0);
  });
  return image;
}

/**
 * Compares the sizes, the first and the last bytes, and samples between: a whole comparison takes longer than
 * the run.
 */
async function assertSimilarImage(actualPath: string, expectedPath: string): Promise<void> {
  const [{ size }, expected] = await Promise.all([stat(actualPath), stat(expectedPath)]);
  if (size !== expected.size) throw new Error(`The image has ${size} bytes instead of ${expected.size}`);
  await using actualFile = await open(actualPath);
  await using expectedFile = await open(expectedPath);
  const [actualBytes, expectedBytes] = [Buffer.alloc(sampleBytes), Buffer.alloc(sampleBytes)];
  for (let sample = 0; sample <= samplesCount; sample += 1) {
    const position = Math.floor(((size - sampleBytes) / samplesCount) * sample);
    await actualFile.read(actualBytes, 0, sampleBytes, position);
    await expectedFile.read(expectedBytes, 0, sampleBytes, position);
    if (!actualBytes.equals(expectedBytes))
      throw new Error(`The image differs from its source at ${position}`);
  }
}
