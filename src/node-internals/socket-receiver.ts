import type { OnReadOpts, Socket } from 'node:net';
import { KiB } from '../units.js';

/** Gets what a connection receives before Node's HTTP parser does. */
export interface ByteTaker {
  /** The memory that the next bytes are to be received into, if they are not for the parser. */
  target(): Uint8Array | undefined;
  /**
   * @param bytes what was received, valid only during the call
   * @param inTarget they are in the memory that `target` gave last
   * @returns false when they are for the parser
   */
  take(bytes: Uint8Array, inTarget: boolean): boolean;
}

/**
 * What is not received into a target. All connections share it, because the HTTP parser is done with it before the next read. Otherwise Node
 * allocates 64 KiB for every read, and relaying 1 GiB takes a quarter more CPU and 100 MiB more memory.
 */
const shared = Buffer.allocUnsafeSlow(64 * KiB);

/** Receives on one connection to a daemon, into memory of ours. */
export class SocketReceiver {
  static readonly #receivers = new WeakMap<object, SocketReceiver>();

  /** Set while somebody wants to see the bytes before the parser. */
  taker: ByteTaker | undefined;

  /** The receiver of a connection that `connect` made. */
  static of(socket: Socket): SocketReceiver | undefined {
    return SocketReceiver.#receivers.get(socket);
  }

  /** @param open makes a connection with the options it is given, `options` and how to receive */
  static connect<O, S>(options: O, open: (receiving: O & { onread: OnReadOpts }) => S): S {
    const receiver = new SocketReceiver();
    const socket = open({ ...options, onread: receiver.#onread() });
    if (socket !== null && typeof socket === 'object') SocketReceiver.#receivers.set(socket, receiver);
    return socket;
  }

  #onread(): OnReadOpts {
    const take = (bytes: Uint8Array, inTarget: boolean): boolean =>
      this.taker?.take(bytes, inTarget) ?? false;
    return {
      buffer: () => this.taker?.target() ?? shared,
      callback(this: Socket, lengthBytes: number, memory: Uint8Array): boolean {
        const bytes = memory.subarray(0, lengthBytes);
        if (!take(bytes, memory !== shared)) this.emit('data', bytes);
        return true;
      },
    };
  }
}
