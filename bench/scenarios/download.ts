import { pathToFileURL } from 'node:url';
import type { ByteRange } from '../../src/base/units.js';
import { download, downloadAndCompare, type CurlTarget, type Transport } from '../clients/curl.js';
import type { BenchServer } from '../server.js';
import type { Side } from '../side.js';
import type { Stand } from '../stand.js';
import type { Scenario, Subject } from './scenario.js';

/** GET of the whole image, in as many ranges as connections. */
export class DownloadScenario implements Scenario {
  constructor(
    readonly name: string,
    readonly title: string,
    private readonly options: { readonly transport: Transport; readonly connections: number },
  ) {}

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const { transport, connections } = this.options;
    const server = await stand.startServer(side, lifetime);
    const target = await sourceTarget(stand, server, transport);
    return downloads(target, equalRanges(stand.options.imageBytes, connections), stand.source(0));
  }
}

/** Many clients at once: what memory that takes. */
export class ConcurrentDownloadsScenario implements Scenario {
  readonly name = 'rss-get-https-16';

  readonly title = '16 downloads at once, HTTPS (peak RSS)';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const { imageBytes, concurrentDownloadBytes } = stand.options;
    const server = await stand.startServer(side, lifetime);
    const target = await sourceTarget(stand, server, 'https');
    const starts = imageBytes / concurrentDownloadBytes;
    const ranges = Array.from({ length: 16 }, (_, index) => ({
      offsetBytes: (index % starts) * concurrentDownloadBytes,
      lengthBytes: concurrentDownloadBytes,
    }));
    return downloads(target, ranges, stand.source(0));
  }
}

export function downloads(target: CurlTarget, ranges: readonly ByteRange[], image: string): Subject {
  return {
    measured: [target.server],
    warmUp: () => downloadAndCompare(target, ranges, image),
    run: async () => {
      await download(target, ranges);
      return {};
    },
  };
}

async function sourceTarget(stand: Stand, server: BenchServer, transport: Transport): Promise<CurlTarget> {
  const ticketId = 'download';
  await server.addTicket({
    id: ticketId,
    url: pathToFileURL(stand.source(0)).href,
    sizeBytes: stand.options.imageBytes,
    ops: ['read'],
  });
  return { server, transport, ticketId };
}

/** An image of `sizeBytes` in `count` equal ranges. */
export function equalRanges(sizeBytes: number, count: number): ByteRange[] {
  const lengthBytes = sizeBytes / count;
  return Array.from({ length: count }, (_, index) => ({ offsetBytes: index * lengthBytes, lengthBytes }));
}

/** The image as one range. */
export function wholeImage(stand: Stand): ByteRange[] {
  return equalRanges(stand.options.imageBytes, 1);
}
