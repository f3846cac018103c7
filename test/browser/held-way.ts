import type { Socket } from 'node:net';
import { within } from '../support/deadline.js';
import { TcpWay } from '../support/tcp-way.js';

/** A way to the proxy that can hold what a browser sends, so that a transfer stays in its middle. */
export class HeldWay extends TcpWay {
  readonly #clients = new Set<Socket>();
  #passedBytes = 0;
  #holdAtBytes = Infinity;
  #held = Promise.withResolvers<undefined>();

  static async to(targetPort: number): Promise<HeldWay> {
    return new HeldWay(targetPort).open();
  }

  /** Bytes that browsers have sent. */
  get passedBytes(): number {
    return this.#passedBytes;
  }

  /** Lets that many more bytes pass, and no more until it is released. @returns when it holds */
  async holdAfter(bytes: number): Promise<void> {
    this.#held = Promise.withResolvers();
    this.#holdAtBytes = this.#passedBytes + bytes;
    await within(this.#held.promise, `${bytes} bytes to be sent`);
  }

  release(): void {
    this.#holdAtBytes = Infinity;
    for (const client of this.#clients) client.resume();
  }

  protected carry(client: Socket, target: Socket): void {
    this.#clients.add(client);
    client.once('close', () => this.#clients.delete(client));
    client.on('data', (bytes: Buffer) => {
      this.#passedBytes += bytes.length;
      if (!target.write(bytes) || this.#isHolding) client.pause();
      if (!this.#isHolding) return;
      for (const each of this.#clients) each.pause();
      this.#held.resolve(undefined);
    });
    target.on('drain', () => {
      if (!this.#isHolding) client.resume();
    });
  }

  get #isHolding(): boolean {
    return this.#passedBytes >= this.#holdAtBytes;
  }
}
