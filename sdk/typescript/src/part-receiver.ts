import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { PartRequest } from '../transfer/http.js';
import type { NodeEndpoint } from './node-endpoint.js';
import { PartConnection } from './part-connection.js';

/** Receives parts of images, over as many keep-alive connections as it is asked for parts at once. */
export class PartReceiver {
  readonly #all = new Set<PartConnection>();
  /** Those that receive nothing, the last used one at the end. */
  readonly #idle: PartConnection[] = [];

  /** @param headers sent with every request */
  constructor(
    private readonly endpoint: NodeEndpoint,
    private readonly headers: Readonly<Record<string, string>>,
    private readonly silenceSeconds: number,
  ) {}

  /**
   * Fills `target` with the body of an answer that is a part of its length.
   * @returns false when the service answers with anything else
   * @throws TransferError when the connection fails; the reason of `signal`
   */
  async receive({ path, headers }: PartRequest, target: Uint8Array, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const head = headOf(path, { Host: this.endpoint.authority, ...this.headers, ...headers });
    const connection = this.#unused() ?? this.#connect();
    const isReceived = await connection.receive({ head, range: headers?.['Range'] }, target, signal);
    if (connection.isUsable) this.#idle.push(connection);
    return isReceived;
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }

  #unused(): PartConnection | undefined {
    for (let last = this.#idle.pop(); last !== undefined; last = this.#idle.pop())
      if (last.isUsable) return last;
    return undefined;
  }

  #connect(): PartConnection {
    const connection = new PartConnection(this.endpoint, this.silenceSeconds, () => {
      this.#all.delete(connection);
    });
    this.#all.add(connection);
    return connection;
  }
}

/** @throws TypeError for what would end a line of it early */
function headOf(path: string, headers: Readonly<Record<string, string>>): string {
  validateHeaderValue('path', path);
  const lines = Object.entries(headers).map(([name, value]) => {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return `${name}: ${value}\r\n`;
  });
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
