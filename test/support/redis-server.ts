import { freePort } from './free-port.js';
import type { Identity } from './pki.js';
import { Program } from './program.js';
import { programPath } from './requirements.js';

/**
 * A Redis server of one's own on a port of loopback, without persistence: what it had is gone when it ends.
 */
export class RedisServer implements AsyncDisposable {
  private constructor(
    private readonly port: number,
    private readonly args: readonly string[],
    private program: Program,
  ) {}

  /** @param args more options, e.g. `['--requirepass', 'secret']` */
  static async start(args: readonly string[] = []): Promise<RedisServer> {
    const port = await freePort();
    return new RedisServer(port, args, await startProgram(port, args));
  }

  /** Speaks TLS alone. @param caFile authority of `identity` */
  static async startTls(
    identity: Identity,
    caFile: string,
    moreArgs: readonly string[] = [],
  ): Promise<RedisServer> {
    const port = await freePort();
    const args = [
      ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'],
      ...['--tls-cert-file', identity.certFile, '--tls-key-file', identity.keyFile],
      ...['--tls-ca-cert-file', caFile],
      ...moreArgs,
    ];
    return new RedisServer(port, args, await startProgram(port, args));
  }

  /** An address where nothing listens yet; `start` of the result does. */
  static async stopped(): Promise<RedisServer> {
    const server = await RedisServer.start();
    await server.kill();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.program.pid;
  }

  signal(signal: NodeJS.Signals): void {
    this.program.signal(signal);
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    await this.program.kill();
  }

  /** Starts it again on the same port, empty. */
  async restart(): Promise<void> {
    this.program = await startProgram(this.port, this.args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.program.hasExited) await this.program.kill();
  }
}

async function startProgram(port: number, args: readonly string[]): Promise<Program> {
  const program = await Program.start(programPath('redis-server') ?? 'redis-server', [
    ...['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no'],
    ...['--daemonize', 'no', '--dir', '/'],
    ...args,
  ]);
  await program.waitForLine(
    (line) => (line.includes('Ready to accept connections') ? true : undefined),
    'redis-server to be ready',
  );
  return program;
}
