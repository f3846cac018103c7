import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

import { greeting, infoExport, metaContext, optionReply, replyType } from './server-messages.js';

export interface ClientRequest {
  readonly flags: number;
  readonly command: number;
  readonly cookie: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** Of a WRITE. */
  readonly data: Buffer;
}

export interface Script {
  readonly sizeBytes: number;
  /** Context names and the ids that they get. */
  readonly contexts?: Readonly<Record<string, number>>;
  /** Answers a request, if at all: what it returns is sent. */
  readonly reply: (request: ClientRequest, socket: Socket) => Buffer | undefined;
  /** Called when the head of a WRITE has come, but not all of its data. */
  readonly onWriteBegun?: (request: ClientRequest, socket: Socket) => void;
  /** Sends in place of the ordinary `socket.write`; fuzzing spoils the bytes here. */
  readonly send?: (socket: Socket, bytes: Buffer) => void;
}

/**
 * An NBD server that greets as it should and then answers as a test tells it to, for
 * what real servers never do.
 */
export class ScriptedServer implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();

  private constructor(
    readonly socketPath: string,
    private readonly server: Server,
  ) {}

  static async listen(socketPath: string, script: Script): Promise<ScriptedServer> {
    const server = createServer();
    const scripted = new ScriptedServer(socketPath, server);
    server.on('connection', (socket) => {
      scripted.#sockets.add(socket);
      socket.on('close', () => scripted.#sockets.delete(socket));
      // Clients under test hang up in the middle.
      socket.on('error', () => socket.destroy());
      const conversation = new Conversation(socket, script);
      socket.on('data', (bytes: Buffer) => {
        conversation.received(bytes);
      });
    });
    server.listen(socketPath);
    await once(server, 'listening');
    return scripted;
  }

  get url(): string {
    return `nbd:unix:${this.socketPath}`;
  }

  /** How many are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Ends every connection. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.hangUp();
    await closed;
  }
}

const clientFlagsBytes = 4;
const optionHeaderBytes = 16;
const requestHeaderBytes = 28;

class Conversation {
  #unread: Buffer = Buffer.alloc(0);
  #writeBegun = false;
  #step: () => boolean = () => this.#clientFlags();

  constructor(
    private readonly socket: Socket,
    private readonly script: Script,
  ) {
    this.#send(greeting());
  }

  received(bytes: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    while (this.#step());
  }

  #clientFlags(): boolean {
    if (this.#take(clientFlagsBytes) === undefined) return false;
    this.#step = () => this.#option();
    return true;
  }

  #option(): boolean {
    if (this.#unread.length < optionHeaderBytes) return false;
    const dataBytes = this.#unread.readUInt32BE(12);
    const message = this.#take(optionHeaderBytes + dataBytes);
    if (message === undefined) return false;
    const option = message.readUInt32BE(8);
    const acknowledge = optionReply(option, replyType.acknowledge);
    if (option === 7) {
      this.#step = () => this.#request();
      this.#send(
        Buffer.concat([optionReply(option, replyType.info, infoExport(this.script.sizeBytes)), acknowledge]),
      );
    } else if (option === 9 || option === 10) {
      const contexts = Object.entries(this.script.contexts ?? {}).map(([name, id]) =>
        optionReply(option, replyType.metaContext, metaContext(id, name)),
      );
      this.#send(Buffer.concat([...contexts, acknowledge]));
    } else {
      this.#send(acknowledge);
    }
    return true;
  }

  #request(): boolean {
    if (this.#unread.length < requestHeaderBytes) return false;
    const head = this.#unread.subarray(0, requestHeaderBytes);
    const request = {
      flags: head.readUInt16BE(4),
      command: head.readUInt16BE(6),
      cookie: Number(head.readBigUInt64BE(8)),
      offsetBytes: Number(head.readBigUInt64BE(16)),
      lengthBytes: head.readUInt32BE(24),
      data: Buffer.alloc(0),
    };
    const message = this.#take(requestHeaderBytes + (request.command === 1 ? request.lengthBytes : 0));
    if (message === undefined) {
      if (!this.#writeBegun) this.script.onWriteBegun?.(request, this.socket);
      this.#writeBegun = true;
      return false;
    }
    this.#writeBegun = false;
    const reply = this.script.reply({ ...request, data: message.subarray(requestHeaderBytes) }, this.socket);
    if (reply !== undefined) this.#send(reply);
    return true;
  }

  #take(lengthBytes: number): Buffer | undefined {
    if (this.#unread.length < lengthBytes) return undefined;
    const bytes = this.#unread.subarray(0, lengthBytes);
    this.#unread = this.#unread.subarray(lengthBytes);
    return bytes;
  }

  #send(bytes: Buffer): void {
    if (this.script.send === undefined) this.socket.write(bytes);
    else this.script.send(this.socket, bytes);
  }
}
