import type { Socket } from 'node:net';
import { brokenConnection } from './broken-connection.js';
import type { NodeEndpoint } from './node-endpoint.js';
import { headBytesMax, partHead, type AskedPart } from './part-head.js';

/** What is being received. */
interface Exchange {
  readonly target: Uint8Array;
  readonly asked: AskedPart;
  /** Of the target; undefined while the head is not whole. */
  filledBytes: number | undefined;
  keepsAlive: boolean;
  readonly done: PromiseWithResolvers<boolean>;
}

/**
 * A connection on which parts of an image are received, one after the other, straight into the memory that
 * they are for. Node's HTTP client would make an object of every 16 KiB, which is two thirds of the CPU of a
 * download. What is no plain part it leaves to that client.
 */
export class PartConnection {
  readonly #socket: Socket;
  /** For heads, and whatever else arrives while no body does. */
  readonly #scratch = Buffer.allocUnsafeSlow(headBytesMax);
  #headBytes = 0;
  #exchange: Exchange | undefined;
  #failure: Error | undefined;

  /** @param onClose told once, when it has ended */
  constructor(
    endpoint: NodeEndpoint,
    silenceSeconds: number,
    private readonly onClose: () => void,
  ) {
    this.#socket = endpoint.connect({
      buffer: () => this.#space(),
      callback: (lengthBytes, memory) => {
        this.#arrived(memory.subarray(0, lengthBytes));
        return true;
      },
    });
    // Where a kind of socket does not receive into memory that it is given, its pieces are copied there.
    this.#socket.on('data', (piece: Buffer) => {
      this.#copyIn(piece);
    });
    this.#socket.setTimeout(silenceSeconds * 1000, () => {
      if (this.#exchange !== undefined)
        this.#socket.destroy(new Error(`The service was silent for ${silenceSeconds} seconds`));
    });
    this.#socket.on('error', (error) => {
      this.#failure = error;
    });
    this.#socket.once('close', () => {
      this.#end(this.#failure ?? new Error('The service closed it'));
    });
  }

  /**
   * @param head of the request, with the empty line after it
   * @param range the value of its `Range`, if it has one
   * @returns false when the answer is something else than a part of the length of `target`: then the
   *   connection has ended
   * @throws TransferError, or the reason of `signal`
   */
  async receive(
    { head, range }: { readonly head: string; readonly range: string | undefined },
    target: Uint8Array,
    signal: AbortSignal,
  ): Promise<boolean> {
    const done = Promise.withResolvers<boolean>();
    const asked = { lengthBytes: target.length, range };
    this.#exchange = { target, asked, filledBytes: undefined, keepsAlive: true, done };
    const abort = (): void => {
      this.#socket.destroy();
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      this.#socket.ref();
      this.#socket.write(head, 'latin1');
      return await done.promise;
    } catch (error: unknown) {
      signal.throwIfAborted();
      throw brokenConnection(error as Error);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** It takes a request, if none is under way. */
  get isUsable(): boolean {
    return !this.#socket.destroyed;
  }

  close(): void {
    this.#socket.destroy();
  }

  #space(): Uint8Array {
    const { target, filledBytes } = this.#exchange ?? {};
    if (target === undefined || filledBytes === undefined) return this.#scratch.subarray(this.#headBytes);
    return target.subarray(filledBytes);
  }

  #copyIn(piece: Uint8Array): void {
    for (let rest = piece; rest.length > 0 && !this.#socket.destroyed;) {
      const space = this.#space().subarray(0, rest.length);
      space.set(rest.subarray(0, space.length));
      rest = rest.subarray(space.length);
      this.#arrived(space);
    }
  }

  /** @param bytes in the space that was given last */
  #arrived(bytes: Uint8Array): void {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // Nothing was asked for, so it is the answer to nothing.
      this.#socket.destroy();
    } else if (exchange.filledBytes === undefined) {
      this.#headArrived(exchange, bytes.length);
    } else {
      this.#bodyArrived(exchange, exchange.filledBytes + bytes.length);
    }
  }

  #headArrived(exchange: Exchange, lengthBytes: number): void {
    this.#headBytes += lengthBytes;
    const { target, asked } = exchange;
    const received = this.#scratch.subarray(0, this.#headBytes);
    const head = partHead(received, asked);
    if (head === undefined) return;
    // There always is space for the next bytes: Node reads for ever into none.
    this.#headBytes = 0;
    const isTooMuch = head !== false && received.length - head.lengthBytes > target.length;
    if (head === false || isTooMuch) {
      this.#exchange = undefined;
      this.#socket.destroy();
      exchange.done.resolve(false);
      return;
    }
    exchange.keepsAlive = head.keepsAlive;
    const body = received.subarray(head.lengthBytes);
    target.set(body);
    this.#bodyArrived(exchange, body.length);
  }

  #bodyArrived(exchange: Exchange, filledBytes: number): void {
    exchange.filledBytes = filledBytes;
    if (filledBytes < exchange.target.length) return;
    this.#exchange = undefined;
    // A connection that nobody uses does not keep the process.
    this.#socket.unref();
    if (!exchange.keepsAlive) this.#socket.destroy();
    exchange.done.resolve(true);
  }

  #end(failure: Error): void {
    this.onClose();
    this.#exchange?.done.reject(failure);
    this.#exchange = undefined;
  }
}
