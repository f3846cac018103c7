import { NotFoundError } from '../../../base/errors.js';
import { DaemonCalls, type DaemonCallsOptions } from '../../../daemons/daemon-calls.js';
import { daemonTargetOf } from '../../../daemons/ticket-url.js';
import type { Backend, ImageRequest, ImageSource } from '../backend.js';
import { HttpBackend } from './http-backend.js';
import { listedExtents } from './listed-extents.js';
import { imageFacts, imageSize, type ImageFacts } from './image-facts.js';

export interface HttpSourceOptions extends DaemonCallsOptions {
  /** What urls of images at other daemons may begin with. */
  readonly schemes: readonly string[];
}

/**
 * Opens images that daemons of other hosts have, for work that this daemon does with them by itself. Requests
 * of clients for such images are relayed.
 */
export class HttpSource implements ImageSource {
  constructor(private readonly options: HttpSourceOptions) {}

  get schemes(): readonly string[] {
    return this.options.schemes;
  }

  /**
   * @throws StorageError when the url is malformed; what the other daemon refuses; BadGatewayError,
   *   UnavailableError or GatewayTimeoutError when it fails
   */
  async open({ url, writable, dirty, unflushed }: ImageRequest, signal?: AbortSignal): Promise<Backend> {
    const image = daemonTargetOf(url, this.schemes.includes('http'));
    const calls = new DaemonCalls(image, this.options);
    const giveUp = (): void => {
      calls.abandon();
    };
    signal?.addEventListener('abort', giveUp);
    try {
      signal?.throwIfAborted();
      const facts = await imageFacts(calls, writable);
      const sizeBytes = await imageSize(calls, facts);
      const canDirtyExtents = dirty && (await hasDirtyExtents(calls, facts));
      return new HttpBackend(calls, { facts, sizeBytes, canDirtyExtents, unflushed });
    } catch (error: unknown) {
      await calls.close();
      throw error;
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
  }
}

/** Found out by asking for the first. Where all of them would come, it is left to who asks for all. */
async function hasDirtyExtents(calls: DaemonCalls, { extensions }: ImageFacts): Promise<boolean> {
  if (!extensions.includes('extents-pages')) return true;
  try {
    await calls.ask({ method: 'GET', path: '/extents?context=dirty&start=0&limit=1' }, (answer, heard) =>
      listedExtents(answer, { context: 'dirty', startBytes: 0, heard }),
    );
    return true;
  } catch (error: unknown) {
    if (error instanceof NotFoundError) return false;
    throw error;
  }
}
