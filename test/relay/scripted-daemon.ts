import { EventEmitter, on, once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { within } from '../support/deadline.js';
import type { Identity } from '../support/pki.js';

/** A request as the daemon saw it. */
export interface SeenRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Which of the daemon's connections it came on, from 1. */
  readonly connection: number;
}

export type Script = (seen: SeenRequest) => void;

/** A daemon that does what a test tells it, right or wrong. */
export class ScriptedDaemon implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  readonly #changes = new EventEmitter();
  readonly #sockets = new Map<Socket, number>();
  script: Script = ({ response }) => response.end();
  /** Answers `Expect: 100-continue`; when undefined 100 is sent and the script runs. */
  expectation: Script | undefined;
  connectionCount = 0;

  private constructor(readonly server: Server) {}

  static async start(identity: Identity, script?: Script): Promise<ScriptedDaemon> {
    const server = createServer({ cert: identity.certPem, key: identity.keyPem, keepAliveTimeout: 0 });
    const daemon = new ScriptedDaemon(server);
    if (script !== undefined) daemon.script = script;
    server.on('secureConnection', (socket) => {
      daemon.connectionCount += 1;
      daemon.#sockets.set(socket, daemon.connectionCount);
      // Clients of it are cut on purpose.
      socket.on('error', () => undefined);
    });
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      daemon.script(daemon.#see(request, response));
    });
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      const seen = daemon.#see(request, response);
      if (daemon.expectation !== undefined) {
        daemon.expectation(seen);
        return;
      }
      response.writeContinue();
      daemon.script(seen);
    });
    server.listen(0, 'localhost');
    await once(server, 'listening');
    return daemon;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `https://localhost:${this.port}`;
  }

  /** The nth request, from 1, when it has come. */
  async request(number = 1): Promise<SeenRequest> {
    const wait = async (): Promise<SeenRequest> => {
      for (;;) {
        const seen = this.seen[number - 1];
        if (seen !== undefined) return seen;
        await once(this.#changes, 'request');
      }
    };
    return within(wait(), `request ${number} at the daemon`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  #see(request: IncomingMessage, response: ServerResponse): SeenRequest {
    const seen = { request, response, connection: this.#sockets.get(request.socket) ?? 0 };
    this.seen.push(seen);
    this.#changes.emit('request');
    return seen;
  }
}

/** Resolves when the connection of a request is closed. */
export async function cut({ request }: SeenRequest, deadlineMs?: number): Promise<void> {
  if (request.socket.destroyed) return;
  // Reads on, else a close is not seen behind unread data.
  request.resume();
  const closed = new Promise((resolve) => {
    request.socket.once('close', resolve);
  });
  await within(
    closed,
    'the connection to the daemon to close',
    deadlineMs === undefined ? {} : { deadlineMs },
  );
}

/** Reads `lengthBytes` of a body and stops reading. */
export async function readSome(request: IncomingMessage, lengthBytes: number): Promise<void> {
  let readBytes = 0;
  for await (const [chunk] of on(request, 'data', { close: ['end', 'close'] }) as AsyncIterable<[Buffer]>) {
    readBytes += chunk.length;
    if (readBytes >= lengthBytes) break;
  }
  request.pause();
}
