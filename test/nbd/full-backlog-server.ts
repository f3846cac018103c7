import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';

import { freePort } from '../support/free-port.js';
import { Program } from '../support/program.js';

/** Prints a line when it listens, with room for two connections that it does not accept. */
const listener = `
const server = require('node:net').createServer();
server.listen({ ...JSON.parse(process.argv[1]), backlog: 1 }, () => console.log('listening'));
`;

/**
 * A server that is stopped, its queue of connections full: a further TCP connection gets no answer to its
 * SYN.
 */
export class FullBacklogServer implements AsyncDisposable {
  private constructor(
    readonly url: string,
    private readonly program: Program,
    private readonly sockets: readonly Socket[],
  ) {}

  static async onTcp(): Promise<FullBacklogServer> {
    const port = await freePort();
    return FullBacklogServer.start(`nbd:127.0.0.1:${port}`, { host: '127.0.0.1', port });
  }

  static async onUnixSocket(path: string): Promise<FullBacklogServer> {
    return FullBacklogServer.start(`nbd:unix:${path}`, { path });
  }

  private static async start(url: string, address: NetConnectOpts): Promise<FullBacklogServer> {
    const program = await Program.start(process.execPath, ['-e', listener, JSON.stringify(address)]);
    await program.waitForLine((line) => line || undefined, 'it listens');
    program.signal('SIGSTOP');
    // More than there is room for. What does not fit waits for an answer, or is refused on a unix socket.
    const sockets = Array.from({ length: 4 }, () => connect(address).on('error', () => undefined));
    await Promise.all(sockets.slice(0, 2).map((socket) => once(socket, 'connect')));
    return new FullBacklogServer(url, program, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await this.program.kill();
  }
}
