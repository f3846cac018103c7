import { once } from 'node:events';
import { createServer, request as startRequest, type IncomingMessage } from 'node:http';
import { connect, type OnReadOpts, type Socket } from 'node:net';
import { KiB } from '../base/units.js';
import { CanaryServer, expectThat } from './canary-server.js';
import { Trick } from './trick.js';

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
 * Memory for everything that is not received into a target. All connections share it, because the HTTP
 * parser has used the bytes before the next read. Otherwise Node allocates 64 KiB for every read, and
 * relaying 1 GiB takes a quarter more CPU and 100 MiB more memory.
 */
const shared = Buffer.allocUnsafeSlow(64 * KiB);

/**
 * Node documents `onread` for sockets, but neither that sockets with TLS take it too, nor that its HTTP
 * client parses what such a socket emits as `data`.
 */
export const receivingIntoOurs = new Trick({
  name: 'receiving into shared memory',
  plainWay: 'each read from a daemon allocates 64 KiB, and a relayed transfer takes a quarter more CPU',
  canary: async () => {
    const body = Buffer.alloc(100 * KiB, 'canary');
    await using server = await CanaryServer.open(createServer((_, answer) => answer.end(body)));
    const socket = server.connect((options) =>
      SocketReceiver.connect(options, (receiving) => connect(receiving)),
    );
    const request = startRequest({ createConnection: () => socket }).end();
    const [answer] = (await server.during(once(request, 'response'))) as [IncomingMessage];
    const pieces = (await server.during(answer.toArray())) as Buffer[];
    expectThat(Buffer.concat(pieces).equals(body), 'what the HTTP client gives out is not what was sent');
    expectThat(SocketReceiver.of(socket)?.hasReceived === true, 'the socket receives into memory of its own');
  },
});

/** Receives on one connection to a daemon, into memory of ours. */
export class SocketReceiver {
  static readonly #receivers = new WeakMap<object, SocketReceiver>();

  /** Set while somebody wants to see the bytes before the parser. */
  taker: ByteTaker | undefined;
  #received = false;

  /** The receiver of a connection that `connect` made; undefined when it receives in the plain way. */
  static of(socket: Socket): SocketReceiver | undefined {
    return SocketReceiver.#receivers.get(socket);
  }

  /**
   * @param open makes a connection with the options it is given: `options`, and how to receive unless in the
   * plain way
   */
  static connect<O, S>(options: O, open: (receiving: O | (O & { onread: OnReadOpts })) => S): S {
    if (!receivingIntoOurs.inUse) return open(options);
    const receiver = new SocketReceiver();
    const socket = open({ ...options, onread: receiver.#onread() });
    if (socket !== null && typeof socket === 'object') SocketReceiver.#receivers.set(socket, receiver);
    return socket;
  }

  /** Something came into memory of ours. */
  get hasReceived(): boolean {
    return this.#received;
  }

  #onread(): OnReadOpts {
    const take = (bytes: Uint8Array, inTarget: boolean): boolean => {
      this.#received = true;
      return this.taker?.take(bytes, inTarget) ?? false;
    };
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
