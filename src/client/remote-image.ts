import { readFile } from 'node:fs/promises';
import { NodeTransport, type NodeTransportOptions } from '#sdk';
import { HttpImage, imagePath, readSignedTicket, SessionTransport } from '#sdk/transfer';
import { readText, refusalOf } from '#sdk/transfer/http';
import { Retrier } from '#sdk/transfer/retry';
import { errorMessage } from '../base/error-details.js';
import type { ImageLocation } from './image-location.js';
import { atOwnHost } from './own-host-image.js';
import { UsageError } from './usage-error.js';

export interface RemoteOptions {
  /** PEM of the authority that the certificate of the service is verified with. */
  readonly cafile?: string | undefined;
  /** Takes any certificate. */
  readonly insecure?: boolean | undefined;
  /** A file with a signed ticket, by which a session is opened at a proxy. */
  readonly signedTicket?: string | undefined;
  /** How often in a row something may fail before anything else succeeds. */
  readonly retries: number;
  /** Nothing is said but what ends it. */
  readonly quiet: boolean;
}

/** An image of a service, as the command line names it. */
export class RemoteImage implements AsyncDisposable {
  private constructor(
    readonly image: HttpImage,
    /** By what it is known to be the same in a later run: a session may lead to any image. */
    readonly identity: string,
    /** For what is asked of it by itself. */
    readonly retrier: Retrier,
  ) {}

  /** @throws UsageError, or TransferError when it is refused or stays away */
  static async open(
    location: ImageLocation,
    options: RemoteOptions,
    signal: AbortSignal,
  ): Promise<RemoteImage> {
    const { cafile, insecure = false, signedTicket } = options;
    const { baseUrl, socketPath } = location;
    const endpoint: NodeTransportOptions = {
      baseUrl,
      insecure,
      ...(cafile === undefined ? {} : { ca: await readFile(cafile, 'utf8') }),
      ...(socketPath === undefined ? {} : { socketPath }),
    };
    const ticket = signedTicket === undefined ? undefined : (await readFile(signedTicket, 'utf8')).trim();
    const path = location.path === '' && ticket !== undefined ? pathOf(ticket) : location.path;
    if (path === '') throw new UsageError('The url of an image is https://HOST:PORT/images/ID');
    const retrier = retrierOf(options);
    const transport =
      ticket === undefined
        ? new NodeTransport(endpoint)
        : await retrier.run(signal, () =>
            SessionTransport.open(new NodeTransport(endpoint), ticket, sayLeft),
          );
    try {
      const reached = await retrier.run(signal, () => HttpImage.open(transport, path, signal));
      const image =
        transport instanceof NodeTransport ? await atOwnHost(reached, transport, path, signal) : reached;
      return new RemoteImage(image, `${socketPath ?? baseUrl}${path}`, retrier);
    } catch (error: unknown) {
      await transport.close();
      throw error;
    }
  }

  /**
   * What the service says of the image.
   * @param resource below the image, with its query
   * @throws TransferError when it is refused or the service stays away
   */
  async text(resource: string, signal: AbortSignal): Promise<string> {
    return this.retrier.run(signal, async () => {
      const { transport, path } = this.image;
      const answer = await transport.send({ method: 'GET', path: `${path}/${resource}` }, signal);
      if (answer.status !== 200) throw await refusalOf(answer);
      return readText(answer);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.image.close();
  }
}

/** Nothing else shows that something waits before a transfer has begun. */
function retrierOf({ retries, quiet }: RemoteOptions): Retrier {
  return new Retrier({
    retriesMax: retries,
    onRetry: ({ message }, delaySeconds) => {
      if (!quiet) process.stderr.write(`imageio: ${message}; again in ${delaySeconds.toFixed(1)} s\n`);
    },
  });
}

function sayLeft(error: unknown): void {
  process.stderr.write(`imageio: The session is left to end by itself: ${errorMessage(error)}\n`);
}

/** Of the image that a signed ticket is for, as it says itself: the proxy finds out whether that is true. */
function pathOf(signedTicket: string): string {
  try {
    return imagePath(readSignedTicket(signedTicket).ticketId);
  } catch (error: unknown) {
    throw new UsageError(`The file has no signed ticket: ${errorMessage(error)}`);
  }
}
