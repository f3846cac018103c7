import { NodeTransport, type NodeTransportOptions } from '#sdk';
import { HttpImage, TransferError } from '#sdk/transfer';
import { Retrier } from '#sdk/transfer/retry';
import { errorMessage } from '../../base/error-details.js';
import { imageLocation } from '../image-location.js';
import type { Log } from '../log.js';
import type { EngineTransfer } from './engine-api.js';
import type { EngineAccess } from './engine-connection.js';

export interface Reaching {
  readonly access: EngineAccess;
  /** The host that this program runs on, where it is one of the engine's. */
  readonly ownHostId: string | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A host that does not answer for so long cannot be reached: firewalls drop packets without a word. */
const reachMilliseconds = 10_000;

/**
 * The image of a transfer: on the own host through its unix socket, else at the host, where that can be
 * reached, else at the proxy.
 * @throws TransferError when neither can, or when one of them refuses
 */
export async function reachImage(transfer: EngineTransfer, reaching: Reaching): Promise<HttpImage> {
  const retrier = new Retrier({ retriesMax: reaching.access.retriesMax });
  return retrier.run(reaching.signal, () => reachAny(transfer, reaching));
}

async function reachAny(transfer: EngineTransfer, reaching: Reaching): Promise<HttpImage> {
  const { transferUrl, proxyUrl, hostId } = transfer;
  const { log, signal, ownHostId } = reaching;
  const failures: TransferError[] = [];
  for (const url of [transferUrl, proxyUrl]) {
    if (url === undefined) continue;
    const { origin } = new URL(url);
    try {
      const image = await openAt(url, reaching);
      log.info(`The image is reached at ${origin}`);
      if (hostId === undefined || hostId !== ownHostId || url !== transferUrl) return image;
      return await atUnixSocket(image, url, reaching);
    } catch (error: unknown) {
      signal.throwIfAborted();
      const failure = asFailure(error, origin);
      if (failure.details.status !== undefined && failure.details.status < 500) throw failure;
      log.info(`${origin} cannot be reached: ${failure.message}`);
      failures.push(failure);
    }
  }
  const places = failures.map(({ message }) => message).join('; ');
  throw new TransferError(places === '' ? 'The engine gave the transfer no url' : places, {
    retryable: failures.some(({ details }) => details.retryable),
  });
}

/** Whatever goes through the network of a host to itself goes through its memory at half the cost. */
async function atUnixSocket(image: HttpImage, url: string, { log }: Reaching): Promise<HttpImage> {
  const { unixSocket } = image.capabilities;
  if (unixSocket === undefined) return image;
  try {
    const local = await open({ baseUrl: 'http://localhost', socketPath: unixSocket }, url);
    await image.close();
    log.info('The image is reached through the unix socket of this host');
    return local;
  } catch (error: unknown) {
    log.info(`The unix socket of this host cannot be used: ${errorMessage(error)}`);
    return image;
  }
}

function openAt(url: string, { access }: Reaching): Promise<HttpImage> {
  const { ca, insecure } = access;
  const { baseUrl } = imageLocation(url);
  return open({ baseUrl, insecure, ...(ca === undefined ? {} : { ca }) }, url);
}

async function open(endpoint: NodeTransportOptions, url: string): Promise<HttpImage> {
  const transport = new NodeTransport(endpoint);
  try {
    const { path } = imageLocation(url);
    const soon = AbortSignal.timeout(reachMilliseconds);
    // The engine says what has become of a transfer whose ticket is refused.
    return await HttpImage.open(transport, path, soon, { awaitsTicket: false });
  } catch (error: unknown) {
    await transport.close();
    throw error;
  }
}

function asFailure(error: unknown, origin: string): TransferError {
  if (error instanceof TransferError) return error;
  return new TransferError(`${origin} does not answer`, { retryable: true }, { cause: error });
}
