import { once } from 'node:events';
import { Agent, createServer, request as startRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { KiB } from '../base/units.js';
import { CanaryServer, expectThat } from './canary-server.js';
import { SocketReceiver, type ByteTaker } from './socket-receiver.js';
import { Trick } from './trick.js';

/** The memory that a body is received into, and what becomes of it. */
export interface DirectSink {
  /** @returns undefined when there is none now */
  target(): Uint8Array | undefined;
  /** The first `lengthBytes` bytes of the target that was given last are the next of the body. */
  filled(lengthBytes: number): void;
}

/** A shorter body comes in one read, or few, which are shared with its head. */
const leastBytes = 128 * KiB;

/**
 * Node documents neither that its parser leaves off in the middle of an answer that is marked as complete,
 * nor what it takes up next.
 */
export const downloadingPastParser = new Trick({
  name: 'receiving downloads past the HTTP parser',
  plainWay: 'the parser copies what is relayed, and a relayed download takes a quarter more CPU',
  canary: async () => {
    const bodies = [2, 2].map((count) => Buffer.alloc(count * leastBytes + 1, `canary ${count}`));
    const waiting = [...bodies];
    const connected: unknown[] = [];
    const daemon = createServer((_, answer) => answer.end(waiting.shift()));
    daemon.on('connection', (socket) => connected.push(socket));
    await using server = await CanaryServer.open(daemon);
    const agent = new Agent({ keepAlive: true });
    const createConnection = () =>
      server.connect((options) => SocketReceiver.connect(options, (receiving) => connect(receiving)));
    agent.createConnection = createConnection;
    for (const body of bodies) {
      const request = startRequest({ agent }).end();
      const [answer] = (await server.during(once(request, 'response'))) as [IncomingMessage];
      const { received, directBytes } = await server.during(receiveDirectly(answer));
      expectThat(received.equals(body), 'what arrives is not what was sent');
      expectThat(directBytes > 0, 'all of it comes through the parser');
    }
    expectThat(connected.length === 1, 'the connection cannot be used again');
  },
});

async function receiveDirectly(answer: IncomingMessage): Promise<{ received: Buffer; directBytes: number }> {
  const pieces: Buffer[] = [];
  let directBytes = 0;
  const memory = Buffer.allocUnsafe(leastBytes / 2);
  const direct = DirectDownload.of(answer, {
    target: () => memory,
    filled: (lengthBytes) => {
      directBytes += lengthBytes;
      pieces.push(Buffer.from(memory.subarray(0, lengthBytes)));
    },
  });
  answer.on('data', (piece: Buffer) => pieces.push(Buffer.from(piece)));
  await once(answer, 'end');
  direct?.stop();
  return { received: Buffer.concat(pieces), directBytes };
}

/**
 * Receives the body of a daemon's answer straight into the memory from which it is sent on. Node's HTTP
 * parser would copy each piece twice and make an event of it, which is a quarter of the CPU of a relayed
 * download.
 *
 * It is for bodies whose length is known. What arrives while the answer is paused, or has data of its own to
 * give out, goes the ordinary way through the parser and the answer's stream, and so does the last piece: for
 * that the answer is marked as complete, whereupon the parser leaves the connection to the next request. The
 * parser does not notice that it did not see the bytes before.
 */
export class DirectDownload implements ByteTaker {
  readonly #receiver: SocketReceiver;
  #leftBytes: number;
  #began = false;

  private constructor(
    receiver: SocketReceiver,
    private readonly source: IncomingMessage,
    private readonly sink: DirectSink,
    leftBytes: number,
  ) {
    this.#receiver = receiver;
    this.#leftBytes = leftBytes;
    receiver.taker = this;
  }

  /**
   * @param source an answer to GET that nobody has read from. Its `data` events give out what does not come
   * into the memory of `sink`
   * @returns undefined when the body has to come the ordinary way
   */
  static of(source: IncomingMessage, sink: DirectSink): DirectDownload | undefined {
    if (!downloadingPastParser.inUse) return undefined;
    const { headers, statusCode = 0, complete, readableLength, socket } = source;
    const hasBody = (statusCode === 200 || statusCode === 206) && headers['transfer-encoding'] === undefined;
    // Bytes that came together with the head wait in the stream of the answer until somebody reads it.
    const leftBytes = Number(headers['content-length'] ?? 0) - readableLength;
    if (!hasBody || complete || !(leftBytes >= leastBytes)) return undefined;
    const receiver = SocketReceiver.of(socket);
    return receiver === undefined ? undefined : new DirectDownload(receiver, source, sink, leftBytes);
  }

  /** The stream of the answer pauses only when a piece went through it. */
  pause(): void {
    if (this.#leftBytes > 0) this.source.socket.pause();
  }

  resume(): void {
    if (this.#leftBytes > 0) this.source.socket.resume();
  }

  /**
   * Receives no more. A request whose body is not whole by then has to be destroyed: its parser has lost
   * count. Idempotent.
   */
  stop(): void {
    if (this.#receiver.taker === this) this.#receiver.taker = undefined;
  }

  target(): Uint8Array | undefined {
    const { readableFlowing, readableLength } = this.source;
    if (this.#leftBytes <= 0 || readableFlowing !== true || readableLength > 0) return undefined;
    return this.sink.target();
  }

  take(bytes: Uint8Array, inTarget: boolean): boolean {
    const isLast = bytes.length >= this.#leftBytes;
    if (isLast && this.#began) {
      this.#complete(bytes);
      return true;
    }
    this.#leftBytes -= bytes.length;
    if (isLast || !inTarget) return false;
    this.#began = true;
    this.sink.filled(bytes.length);
    return true;
  }

  #complete(bytes: Uint8Array): void {
    const { source } = this;
    const { socket } = source;
    const isTooMuch = bytes.length > this.#leftBytes;
    const last = bytes.subarray(0, this.#leftBytes);
    this.#leftBytes = 0;
    this.stop();
    source.complete = true;
    socket.emit('data', last);
    source.push(null);
    // Bytes past the end of the answer belong to no request. The connection is closed, so that nobody takes
    // them for the answer to the next one.
    if (isTooMuch) socket.destroy();
    else socket.resume();
  }
}
