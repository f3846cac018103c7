import { StorageError } from '../../../base/errors.js';
import type { Backend, ImageRequest, ImageSource } from '../backend.js';
import { ImageLocks } from '../image-locks.js';
import { NbdBackend } from './nbd-backend.js';
import { NbdClient } from './nbd-client.js';
import { exportPlace } from './export-place.js';
import { type NbdLocation, parseNbdUrl } from './nbd-url.js';

export interface NbdSourceOptions {
  /** How long a server may take to accept a connection and agree on the export. */
  readonly connectTimeoutSeconds: number;
}

/**
 * Opens images that NBD servers export: every url that begins with `nbd` (docs/protocol.md, "Image urls").
 */
export class NbdSource implements ImageSource {
  readonly schemes = ['nbd', 'nbd+unix'];
  readonly #locks = new ImageLocks();

  constructor(private readonly options: NbdSourceOptions) {}

  /**
   * @param signal gives up connecting and the handshake
   * @throws StorageError when the url is malformed, there is no such export or it does not allow what is
   *   asked for
   */
  async open(request: ImageRequest, signal?: AbortSignal): Promise<Backend> {
    const location = parseNbdUrl(request.url);
    const client = await this.#connect(location, request, signal);
    const place = await exportPlace(location, client.peer);
    return new NbdBackend(client, {
      place,
      connect: (reconnectSignal) => this.#connect(location, request, reconnectSignal),
      writable: request.writable,
      unflushed: request.unflushed,
      lock: this.#locks.enter(place),
      onClose: () => {
        this.#locks.leave(place);
      },
    });
  }

  async #connect(
    location: NbdLocation,
    { writable, dirty }: ImageRequest,
    signal: AbortSignal | undefined,
  ): Promise<NbdClient> {
    const { connectTimeoutSeconds } = this.options;
    const client = await NbdClient.connect({ location, dirtyBitmap: dirty, connectTimeoutSeconds, signal });
    if (writable && client.info.readOnly) {
      await client.disconnect();
      throw new StorageError('The storage of this image is read-only', { trouble: 'read_only' });
    }
    return client;
  }
}
