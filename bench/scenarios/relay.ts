import { pathToFileURL } from 'node:url';
import type { CurlTarget } from '../clients/curl.js';
import type { Side } from '../side.js';
import type { Stand } from '../stand.js';
import { downloads, wholeImage } from './download.js';
import { makeTarget, uploads } from './upload.js';
import type { Scenario, Subject } from './scenario.js';

const ticketId = 'relay';

/** GET of the whole image through a proxy; the proxy alone is measured. */
export class RelayDownloadScenario implements Scenario {
  readonly name = 'relay-get';

  readonly title = 'GET through the proxy, 1 connection, HTTPS twice';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const target = await startRelay(stand, side, lifetime, stand.source(0), ['read']);
    return downloads(target, wholeImage(stand), stand.source(0));
  }
}

/** PUT of the whole image through a proxy; the proxy alone is measured. */
export class RelayUploadScenario implements Scenario {
  readonly name = 'relay-put';

  readonly title = 'PUT + flush through the proxy, 1 connection, HTTPS twice';

  async start(stand: Stand, side: Side, lifetime: AsyncDisposableStack): Promise<Subject> {
    const image = await makeTarget(stand, side, lifetime);
    const target = await startRelay(stand, side, lifetime, image, ['read', 'write']);
    return uploads(stand, target, image);
  }
}

/** Starts a daemon and a proxy with a ticket that leads to it. */
export async function startRelay(
  stand: Stand,
  side: Side,
  lifetime: AsyncDisposableStack,
  image: string,
  ops: readonly ('read' | 'write')[],
): Promise<CurlTarget> {
  const sizeBytes = stand.options.imageBytes;
  const daemon = await stand.startServer(side, lifetime, { local: false });
  const proxy = await stand.startServer(side, lifetime, { role: 'proxy', local: false });
  await daemon.addTicket({ id: ticketId, url: pathToFileURL(image).href, sizeBytes, ops });
  await proxy.addTicket({ id: ticketId, url: daemon.imageUrl(ticketId), sizeBytes, ops });
  return { server: proxy, transport: 'https', ticketId };
}
