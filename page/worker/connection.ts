import { FetchTransport, HttpImage, SessionTransport, type HttpTransport } from '#sdk/transfer';
import { readText } from '#sdk/transfer/http';
import type { Access } from '../access.js';
import type { Disk } from '../messages.js';

/** What an image at the service is used by: a session, or its own address. */
export class Connection {
  private constructor(
    readonly access: Access,
    readonly image: HttpImage,
    readonly disk: Disk,
    private readonly session: SessionTransport | undefined,
  ) {}

  /** @throws TransferError */
  static async open(access: Access, signal: AbortSignal): Promise<Connection> {
    const { path } = access;
    const fetching = new FetchTransport(location.origin);
    const session =
      access.kind === 'signed'
        ? // One that is left ends by itself, with its ticket.
          await SessionTransport.open(fetching, access.ticket, () => undefined)
        : undefined;
    const transport = session ?? fetching;
    try {
      const image = await HttpImage.open(transport, path, signal);
      const writable = image.capabilities.features.includes('zero');
      const disk = {
        path,
        writable,
        sizeBytes: writable ? await image.capacityBytes(signal) : image.sizeBytes,
        fileName: await nameOf(transport, path, signal),
      };
      return new Connection(access, image, disk, session);
    } catch (error: unknown) {
      await transport.close();
      throw error;
    }
  }

  /** Empty without a session. */
  get sessionId(): string {
    return this.session?.sessionId ?? '';
  }

  /** Ends the session, if there is one. */
  async close(): Promise<void> {
    await this.image.close();
  }
}

async function nameOf(
  transport: HttpTransport,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const head = await transport.send({ method: 'HEAD', path }, signal);
  await readText(head);
  const disposition = head.header('content-disposition') ?? '';
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(disposition)?.[1];
  if (encoded !== undefined) return decodeURIComponent(encoded);
  return /filename="?([^";]+)/i.exec(disposition)?.[1];
}
