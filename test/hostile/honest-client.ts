import { readFile, stat, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { KiB, MiB } from '../../src/base/units.js';
import { ImagesClient, UnexpectedStatusError } from '../support/client.js';
import { assertSameImage, writeRandomImage } from '../support/images.js';
import type { HostileWorld } from './hostile-world.js';

const imageBytes = 48 * MiB;
const uploadChunkBytes = 4 * MiB;
const smallReadBytes = 4 * KiB;
const smallReadPauseMilliseconds = 50;
const retriesMax = 100;

/** What the honest client went through. */
export interface HonestReport {
  readonly uploads: number;
  readonly downloads: number;
  /** Requests that were answered with 503, or whose connection broke, and were sent again. */
  readonly retries: number;
  /** How long each small read took, in milliseconds; those that were tried again from their first try on. */
  readonly smallReadMilliseconds: readonly number[];
}

/**
 * A client that does nothing wrong: it uploads and downloads images, one after the other, in both
 * directions at once, compares every byte, and reads 4 KiB now and then, straight from the daemon and
 * through the proxy. It does as `Retry-After` says.
 */
export class HonestClient {
  readonly #world: HostileWorld;
  readonly #clients: ImagesClient[] = [];
  #retries = 0;

  constructor(world: HostileWorld) {
    this.#world = world;
  }

  /**
   * Goes on until the signal aborts; transfers that have begun are ended.
   * @throws when a byte is not what it should be
   */
  async work(signal: AbortSignal): Promise<HonestReport> {
    const { folder } = this.#world.deployment;
    const [stored, copy] = [folder.file('honest-stored'), folder.file('honest-copy')];
    const [source, target] = [folder.file('honest-source'), folder.file('honest-target')];
    await writeRandomImage(stored, imageBytes);
    await writeRandomImage(target, imageBytes);
    const smallReadMilliseconds: number[] = [];
    this.#retries = 0;
    const readTicket = await this.#world.addTicket('read', stored, imageBytes);
    const writeTicket = await this.#world.addTicket('write', target, imageBytes);
    const [uploads, downloads] = await Promise.all([
      this.#again(signal, () => this.#upload(writeTicket, source, target)),
      this.#again(signal, () => this.#download(readTicket, stored, copy)),
      this.#readOften(this.#client('daemon', readTicket), readTicket, smallReadMilliseconds, signal),
      this.#readOften(this.#client('proxy', readTicket), readTicket, smallReadMilliseconds, signal),
    ]);
    for (const client of this.#clients.splice(0)) client.close();
    for (const ticket of [readTicket, writeTicket])
      await this.#world.deployment.daemon.vdsm.removeTicket(ticket);
    return { uploads, downloads, retries: this.#retries, smallReadMilliseconds };
  }

  #client(role: 'daemon' | 'proxy', ticketId: string): ImagesClient {
    const { deployment } = this.#world;
    const headers = role === 'proxy' ? { Authorization: deployment.signTicket(ticketId) } : {};
    const client = new ImagesClient(deployment[role].address('remote'), { headers });
    this.#clients.push(client);
    return client;
  }

  async #again(signal: AbortSignal, transfer: () => Promise<void>): Promise<number> {
    let count = 0;
    do {
      await transfer();
      count += 1;
    } while (!signal.aborted);
    return count;
  }

  async #upload(ticketId: string, source: string, target: string): Promise<void> {
    await writeRandomImage(source, imageBytes);
    const bytes = await readFile(source);
    const client = this.#client('proxy', ticketId);
    for (let offset = 0; offset < imageBytes; offset += uploadChunkBytes) {
      const chunk = bytes.subarray(offset, offset + uploadChunkBytes);
      await this.#patiently(() => client.write(ticketId, chunk, offset));
    }
    await this.#patiently(() => client.flush(ticketId));
    client.close();
    await assertSameImage(target, source);
  }

  /** One request for the whole image; what is cut goes on where the file ends. */
  async #download(ticketId: string, source: string, copy: string): Promise<void> {
    await writeFile(copy, '');
    const client = this.#client('proxy', ticketId);
    await this.#patiently(async () => {
      const { size: haveBytes } = await stat(copy);
      if (haveBytes < imageBytes) await client.download(ticketId, copy, haveBytes);
    });
    client.close();
    await assertSameImage(copy, source);
  }

  async #readOften(
    client: ImagesClient,
    ticketId: string,
    times: number[],
    signal: AbortSignal,
  ): Promise<void> {
    for (
      let offset = 0;
      !signal.aborted;
      offset = (offset + 7 * smallReadBytes) % (imageBytes - smallReadBytes)
    ) {
      const startedAt = performance.now();
      await this.#patiently(() =>
        client.read(ticketId, { offsetBytes: offset, lengthBytes: smallReadBytes }),
      );
      times.push(performance.now() - startedAt);
      await delay(smallReadPauseMilliseconds);
    }
  }

  /** Tries again what failed for no reason of ours, as a client with patience does. */
  async #patiently<T>(request: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await request();
      } catch (error: unknown) {
        if (attempt === retriesMax || !mayBeTriedAgain(error)) throw error;
        this.#retries += 1;
        await delay(retryMilliseconds(error));
      }
    }
  }
}

function mayBeTriedAgain(error: unknown): boolean {
  if (error instanceof UnexpectedStatusError) return [408, 429, 502, 503, 504].includes(error.answer.status);
  return typeof (error as NodeJS.ErrnoException).code === 'string';
}

function retryMilliseconds(error: unknown): number {
  const seconds = error instanceof UnexpectedStatusError ? Number(error.answer.headers['retry-after']) : NaN;
  return Number.isFinite(seconds) ? seconds * 1000 : 200;
}
