import type { Socket } from 'node:net';
import { TcpWay } from '../support/tcp-way.js';

/** A way to a service that can be cut, as a bad network does, while its address stays. */
export class CutWay extends TcpWay {
  readonly #cuts: { readonly afterBytes: number; readonly then: () => void }[] = [];
  #passedBytes = 0;

  static async to(targetPort: number): Promise<CutWay> {
    return new CutWay(targetPort).open();
  }

  /** Bytes that clients have sent. */
  get passedBytes(): number {
    return this.#passedBytes;
  }

  /** Resolves when that many more bytes have passed; every connection is cut at that moment. */
  async cutAfter(bytes: number): Promise<void> {
    await new Promise<void>((then) => this.#cuts.push({ afterBytes: this.#passedBytes + bytes, then }));
  }

  protected carry(client: Socket, target: Socket): void {
    client.on('data', (bytes: Buffer) => {
      this.#passed(bytes.length);
      if (!target.write(bytes)) client.pause();
    });
    target.on('drain', () => client.resume());
  }

  #passed(bytes: number): void {
    this.#passedBytes += bytes;
    const [next] = this.#cuts;
    if (next === undefined || this.#passedBytes < next.afterBytes) return;
    this.#cuts.shift();
    next.then();
    this.cut();
  }
}
