import { readFile } from 'node:fs/promises';
import { NodeTransport, SessionsClient, type NodeTransportOptions, type Session } from '#sdk';
import { HttpImage } from '#sdk/transfer';
import { errorMessage } from '../base/error-details.js';
import type { ImageLocation } from './image-location.js';
import { UsageError } from './usage-error.js';

export interface RemoteOptions {
  /** PEM of the authority that the certificate of the service is verified with. */
  readonly cafile?: string | undefined;
  /** Takes any certificate. */
  readonly insecure?: boolean | undefined;
  /** A file with a signed ticket, by which a session is opened at a proxy. */
  readonly signedTicket?: string | undefined;
}

/** An image of a service, and the session that it is reached in. */
export class RemoteImage implements AsyncDisposable {
  private constructor(
    readonly image: HttpImage,
    private readonly endSession: () => Promise<void>,
  ) {}

  /** @throws UsageError, TransferError, or ImageioError when the signed ticket is refused */
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
    if (signedTicket === undefined) {
      if (location.path === '') throw new UsageError('The url of an image is https://HOST:PORT/images/ID');
      const image = await HttpImage.open(new NodeTransport(endpoint), location.path, signal);
      return new RemoteImage(image, async () => undefined);
    }
    const ticket = (await readFile(signedTicket, 'utf8')).trim();
    const sessions = new SessionsClient(endpoint);
    try {
      return await RemoteImage.#inSession(sessions, await sessions.open(ticket), {
        endpoint,
        path: location.path === '' ? `/images/${encodeURIComponent(ticketOf(ticket))}` : location.path,
        signal,
      });
    } catch (error: unknown) {
      await sessions.close();
      throw error;
    }
  }

  static async #inSession(
    sessions: SessionsClient,
    { session_id: id }: Session,
    { endpoint, path, signal }: { endpoint: NodeTransportOptions; path: string; signal: AbortSignal },
  ): Promise<RemoteImage> {
    const end = async (): Promise<void> => {
      await sessions.delete(id);
      await sessions.close();
    };
    const transport = new NodeTransport({ ...endpoint, headers: { 'Session-Id': id } });
    try {
      return new RemoteImage(await HttpImage.open(transport, path, signal), end);
    } catch (error: unknown) {
      await transport.close();
      await end();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.image.close();
    await this.endSession();
  }
}

/** The ticket that a signed ticket is for, as it says itself: the proxy finds out whether that is true. */
function ticketOf(signedTicket: string): string {
  try {
    const { data } = JSON.parse(Buffer.from(signedTicket, 'base64').toString('utf8')) as { data: string };
    const { 'transfer-ticket': id } = JSON.parse(data) as { 'transfer-ticket': string };
    if (typeof id === 'string' && id !== '') return id;
  } catch (error: unknown) {
    throw new UsageError(`The file has no signed ticket: ${errorMessage(error)}`);
  }
  throw new UsageError('The file has no signed ticket that names its ticket');
}
