import { EventEmitter, once } from 'node:events';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request as requestHttps, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Transform, type Readable } from 'node:stream';
import type { ByteRange } from '#sdk/transfer';
import type { Identity } from '../support/pki.js';
import { MovedBytes } from './moved-bytes.js';

/** What a request is to a transfer. */
export type RequestKind =
  'options' | 'head' | 'read' | 'write' | 'zero' | 'flush' | 'ranges' | 'digests' | 'extents' | 'other';

export interface RelayTarget {
  readonly port: number;
  readonly ca: string;
}

/**
 * Stands before the daemon's port, on a port that stays when the daemon is started again, and counts what
 * goes to it and comes from it. A connection of a client is a connection to the daemon, and both end
 * together.
 */
export class CountingRelay implements AsyncDisposable {
  /** `request` with its kind when its head has come, `moved` when bytes of the image have. */
  readonly events = new EventEmitter<{ request: [RequestKind]; moved: [] }>().setMaxListeners(0);
  /** Of the image, since the relay was started. */
  movedBytes = 0;
  #count = new MovedBytes();
  readonly #agents = new WeakMap<Socket, Agent>();

  private constructor(
    private readonly server: Server,
    private readonly target: () => RelayTarget,
  ) {}

  static async start({ certPem, keyPem }: Identity, target: () => RelayTarget): Promise<CountingRelay> {
    const server = createServer({
      ...{ cert: certPem, key: keyPem },
      ...{ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 },
    });
    const relay = new CountingRelay(server, target);
    server.on('request', (request, response) => {
      // Who left in the middle of a small body is not served.
      relay.#relay(request, response).catch(() => request.destroy());
    });
    server.on('clientError', (_error, socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return relay;
  }

  get url(): string {
    return `https://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  /** Counts anew. @returns the count, which later requests add to until this is called again */
  countAnew(): MovedBytes {
    this.#count = new MovedBytes();
    return this.#count;
  }

  async #relay(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const count = this.#count;
    const patch = request.method === 'PATCH' ? await textOf(request) : undefined;
    const kind = kindOf(request, patch);
    this.events.emit('request', kind);
    const flushed = kind === 'flush' ? count.flushBegins() : undefined;
    const { method, url: path, rawHeaders: headers, socket } = request;
    const { port, ca } = this.target();
    const place = { host: 'localhost', port, ca, agent: this.#agentOf(socket) };
    const onward = requestHttps({ ...place, method, path, headers });
    const moving = new Moving(count, request, (bytes) => {
      this.movedBytes += bytes;
      this.events.emit('moved');
    });
    const cut = (): void => {
      moving.end();
      onward.destroy();
      socket.destroy();
    };
    onward.on('information', ({ statusCode }) => {
      if (statusCode === 102) response.writeProcessing();
    });
    onward.on('response', (answer) => {
      const { statusCode = 0, rawHeaders } = answer;
      const succeeded = statusCode >= 200 && statusCode < 300;
      if (succeeded) flushed?.();
      moving.answered(succeeded);
      response.writeHead(statusCode, rawHeaders);
      answer.on('error', cut);
      answer.pipe(moving.ofAnswer()).pipe(response);
    });
    onward.on('error', cut);
    request.on('error', cut);
    response.once('close', () => {
      if (response.writableFinished) moving.end();
      else cut();
    });
    if (patch !== undefined) onward.end(patch);
    else whenConnected(onward, () => request.pipe(moving.ofRequest()).pipe(onward));
  }

  /** Of one connection of a client: one connection to the daemon at a time. */
  #agentOf(socket: Socket): Agent {
    let agent = this.#agents.get(socket);
    if (agent === undefined) {
      const made = new Agent({ keepAlive: true, maxSockets: 1 });
      this.#agents.set(socket, made);
      socket.once('close', () => {
        made.destroy();
      });
      socket.on('error', () => socket.destroy());
      agent = made;
    }
    return agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}

/** Nothing is taken of a body before there is a daemon to send it to. */
function whenConnected(request: ClientRequest, then: () => void): void {
  request.once('socket', (socket) => {
    if (socket.connecting) socket.once('secureConnect', then);
    else then();
  });
}

/** The bytes of the image that one request or its answer has. */
class Moving {
  readonly #range: ByteRange | undefined;
  readonly #isWrite: boolean;
  #bytes = 0;
  #isRefused = false;
  #hasEnded = false;

  constructor(
    private readonly count: MovedBytes,
    request: IncomingMessage,
    private readonly onMoved: (bytes: number) => void,
  ) {
    this.#isWrite = request.method === 'PUT';
    this.#range = this.#isWrite ? writtenRange(request) : readRange(request);
  }

  /** What its body goes through. */
  ofRequest(): Transform {
    return this.#counter(this.#isWrite);
  }

  ofAnswer(): Transform {
    return this.#counter(!this.#isWrite && !this.#isRefused);
  }

  answered(succeeded: boolean): void {
    this.#isRefused = !succeeded;
    if (this.#range === undefined || !this.#isWrite || !succeeded) return;
    this.end();
    this.count.answered(this.#range);
  }

  /** No more comes. Idempotent. */
  end(): void {
    if (this.#hasEnded || this.#range === undefined || this.#bytes === 0) return;
    this.#hasEnded = true;
    const moved = { offsetBytes: this.#range.offsetBytes, lengthBytes: this.#bytes };
    if (this.#isRefused) this.count.refused(moved);
    else this.count.moved(moved);
  }

  #counter(isOfImage: boolean): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        if (isOfImage && this.#range !== undefined) {
          this.#bytes += chunk.length;
          this.onMoved(chunk.length);
        }
        done(null, chunk);
      },
    });
  }
}

function kindOf({ method, url = '' }: IncomingMessage, patch: string | undefined): RequestKind {
  const last = /\/(ranges|digests|extents)(\?|$)/.exec(url)?.[1];
  if (last !== undefined) return last as RequestKind;
  if (patch !== undefined) return /"op":\s*"flush"/.test(patch) ? 'flush' : 'zero';
  const kinds: Readonly<Record<string, RequestKind>> = {
    OPTIONS: 'options',
    HEAD: 'head',
    GET: 'read',
    PUT: 'write',
  };
  return kinds[method ?? ''] ?? 'other';
}

function writtenRange({ headers }: IncomingMessage): ByteRange | undefined {
  return rangeIn(/^bytes (\d+)-(\d+)\/\*$/.exec(headers['content-range'] ?? ''));
}

function readRange({ headers, method, url = '' }: IncomingMessage): ByteRange | undefined {
  if (method !== 'GET' || !/^\/images\/[^/]+$/.test(url)) return undefined;
  return rangeIn(/^bytes=(\d+)-(\d+)$/.exec(headers.range ?? ''));
}

function rangeIn(match: RegExpExecArray | null): ByteRange | undefined {
  if (match === null) return undefined;
  const [offsetBytes, lastByte] = [Number(match[1]), Number(match[2])];
  return { offsetBytes, lengthBytes: lastByte + 1 - offsetBytes };
}

async function textOf(body: Readable): Promise<string> {
  let text = '';
  for await (const chunk of body) text += String(chunk);
  return text;
}
