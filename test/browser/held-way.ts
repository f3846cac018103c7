import type { Socket } from 'node:net';
import { within } from '../support/deadline.js';
import { TcpWay } from '../support/tcp-way.js';

interface Connection {
  readonly client: Socket;
  readonly target: Socket;
}

/** Bytes in one direction, and where they are held. */
class Flow {
  passedBytes = 0;
  #holdAtBytes = Infinity;
  #held = Promise.withResolvers<undefined>();

  get isHolding(): boolean {
    return this.passedBytes >= this.#holdAtBytes;
  }

  async holdAfter(bytes: number): Promise<void> {
    this.#held = Promise.withResolvers();
    this.#holdAtBytes = this.passedBytes + bytes;
    await within(this.#held.promise, `${bytes} bytes to pass`);
  }

  release(): void {
    this.#holdAtBytes = Infinity;
  }

  /** @returns whether it holds from now on */
  passed(bytes: number): boolean {
    this.passedBytes += bytes;
    if (this.isHolding) this.#held.resolve(undefined);
    return this.isHolding;
  }
}

/** A way to the proxy that can hold what passes, so that a transfer stays in its middle. */
export class HeldWay extends TcpWay {
  readonly #connections = new Set<Connection>();
  readonly #up = new Flow();
  readonly #down = new Flow();

  static async to(targetPort: number): Promise<HeldWay> {
    return new HeldWay(targetPort).open();
  }

  /** Bytes that browsers have sent. */
  get passedBytes(): number {
    return this.#up.passedBytes;
  }

  /** Lets browsers send that many more bytes, and none until it is released. @returns when it holds */
  async holdAfter(bytes: number): Promise<void> {
    await this.#up.holdAfter(bytes);
  }

  /** The same of what browsers are answered. */
  async holdAnswersAfter(bytes: number): Promise<void> {
    await this.#down.holdAfter(bytes);
  }

  release(): void {
    this.#up.release();
    this.#down.release();
    for (const { client, target } of this.#connections) {
      client.resume();
      // Piping is not idempotent.
      target.unpipe(client).pipe(client);
    }
  }

  protected carry(client: Socket, target: Socket): void {
    const connection = { client, target };
    this.#connections.add(connection);
    client.once('close', () => this.#connections.delete(connection));
    client.on('data', (bytes: Buffer) => {
      const isHolding = this.#up.passed(bytes.length);
      if (!target.write(bytes) || isHolding) client.pause();
      if (isHolding) for (const each of this.#connections) each.client.pause();
    });
    target.on('drain', () => {
      if (!this.#up.isHolding) client.resume();
    });
    target.on('data', (bytes: Buffer) => {
      if (!this.#down.passed(bytes.length)) return;
      for (const each of this.#connections) each.target.unpipe(each.client).pause();
    });
  }
}
