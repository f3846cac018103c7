import { stat } from 'node:fs/promises';
import { StorageError } from '../../../base/errors.js';
import type { Backend, ImageRequest, ImageSource } from '../backend.js';
import { ImageLocks } from '../image-locks.js';
import { NbdBackend, type NbdConnection } from './nbd-backend.js';
import { NbdClient } from './nbd-client.js';
import { exportPlace } from './export-place.js';
import { type NbdLocation, parseNbdUrl } from './nbd-url.js';
import { ServerRuns } from './server-runs.js';

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
  readonly #runs = new ServerRuns();

  constructor(private readonly options: NbdSourceOptions) {}

  /**
   * @param signal gives up connecting and the handshake
   * @throws StorageError when the url is malformed, there is no such export or it does not allow what is
   *   asked for
   */
  async open(request: ImageRequest, signal?: AbortSignal): Promise<Backend> {
    const location = parseNbdUrl(request.url);
    const connection = await this.#connect(location, request, signal);
    const place = await exportPlace(location, connection.client.peer);
    return new NbdBackend(connection, {
      identity: exportIdentity(location),
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
  ): Promise<NbdConnection> {
    const { connectTimeoutSeconds } = this.options;
    const socketBefore = await socketOf(location);
    const client = await NbdClient.connect({ location, dirtyBitmap: dirty, connectTimeoutSeconds, signal });
    if (writable && client.info.readOnly) {
      await client.disconnect();
      throw new StorageError('The storage of this image is read-only', { trouble: 'read_only' });
    }
    const socket = await socketOf(location);
    const isShared = client.info.canMultiConn && socket !== undefined && socket === socketBefore;
    return {
      client,
      run: this.#runs.join(
        isShared ? `${socket}\0${location.exportName}` : undefined,
        exportIdentity(location),
      ),
    };
  }
}

/** The same for all that is opened by the same name, also when the server there is another one meanwhile. */
function exportIdentity({ address, exportName }: NbdLocation): string {
  const server = 'socketPath' in address ? address.socketPath : `${address.host}:${address.port}`;
  return `nbd ${server}\0${exportName}`;
}

/**
 * By which it is told whether it is still the same server that listens: each makes a socket of its own.
 * @returns undefined where that cannot be told, as over TCP, where any machine may answer
 */
async function socketOf({ address }: NbdLocation): Promise<string | undefined> {
  if (!('socketPath' in address)) return undefined;
  try {
    const { dev, ino, ctimeNs } = await stat(address.socketPath, { bigint: true });
    return `${dev}:${ino}:${ctimeNs}`;
  } catch {
    // Connecting says what is wrong.
    return undefined;
  }
}
