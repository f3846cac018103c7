// The program behind `random-reads.ts`. It speaks HTTP on the bare socket, with one buffer per connection:
// node:https takes more time than the measured servers do, so the figures would be those of the client.
import { once } from 'node:events';
import { openSync, readFileSync, readSync, fstatSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { KiB } from '../../src/base/units.js';
import type { RandomReads, RandomReadsDone } from './random-reads.js';

const headBytesMax = 16 * KiB;

const reads = JSON.parse(process.argv[2] ?? '') as RandomReads;
const image = openSync(reads.image, 'r');
const blocks = Math.floor(fstatSync(image).size / reads.lengthBytes);
let requestsLeft = reads.requests;

/** One connection with one request under way. */
class RandomReader {
  readonly #received = Buffer.alloc(headBytesMax + reads.lengthBytes);
  readonly #expected = Buffer.alloc(reads.lengthBytes);
  #receivedBytes = 0;
  /** Where the body begins; undefined until the head is complete. */
  #bodyStart: number | undefined;
  #position = 0;
  #settle: (() => void) | undefined;

  constructor(private readonly socket: TLSSocket) {
    socket.on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
  }

  /** Asks for one block and resolves when its bytes were found right. */
  async readBlock(): Promise<void> {
    this.#position = Math.floor(Math.random() * blocks) * reads.lengthBytes;
    this.#receivedBytes = 0;
    this.#bodyStart = undefined;
    const range = `bytes=${this.#position}-${this.#position + reads.lengthBytes - 1}`;
    const head = [`GET /images/${reads.ticketId} HTTP/1.1`, 'Host: localhost', `Range: ${range}`];
    const answered = new Promise<void>((resolve) => {
      this.#settle = resolve;
    });
    this.socket.write(`${head.join('\r\n')}\r\n\r\n`);
    await answered;
  }

  #take(chunk: Buffer): void {
    chunk.copy(this.#received, this.#receivedBytes);
    this.#receivedBytes += chunk.length;
    if (this.#bodyStart === undefined) {
      const headEnd = this.#received.subarray(0, this.#receivedBytes).indexOf('\r\n\r\n');
      if (headEnd === -1) return;
      this.#bodyStart = headEnd + 4;
      this.#checkHead(this.#received.toString('latin1', 0, headEnd));
    }
    const bodyBytes = this.#receivedBytes - this.#bodyStart;
    if (bodyBytes < reads.lengthBytes) return;
    readSync(image, this.#expected, 0, reads.lengthBytes, this.#position);
    const body = this.#received.subarray(this.#bodyStart, this.#receivedBytes);
    if (!body.equals(this.#expected)) throw new Error(`Wrong bytes for the range at ${this.#position}`);
    this.#settle?.();
  }

  #checkHead(head: string): void {
    if (!head.startsWith('HTTP/1.1 206 ')) throw new Error(`Answered with: ${head}`);
    if (!new RegExp(`^content-length: ${reads.lengthBytes}\r?$`, 'im').test(head))
      throw new Error(`Answered with another length: ${head}`);
  }
}

async function openConnection(): Promise<RandomReader> {
  const ca = readFileSync(reads.caFile);
  const socket = connect({ host: '127.0.0.1', servername: 'localhost', port: reads.port, ca });
  socket.setNoDelay(true);
  await once(socket, 'secureConnect');
  socket.on('close', () => {
    throw new Error('The server closed a connection that was in use');
  });
  const reader = new RandomReader(socket);
  // One request is sent before the measured ones, because the server opens the image at the first request of
  // a connection.
  await reader.readBlock();
  return reader;
}

async function readUntilDone(reader: RandomReader): Promise<void> {
  while (requestsLeft > 0) {
    requestsLeft -= 1;
    await reader.readBlock();
  }
}

const connections = await Promise.all(Array.from({ length: reads.connections }, openConnection));
const startedAt = performance.now();
await Promise.all(connections.map(readUntilDone));
const done: RandomReadsDone = {
  requestsPerSecond: (reads.requests / (performance.now() - startedAt)) * 1000,
};
process.stdout.write(`${JSON.stringify(done)}\n`, () => process.exit(0));
