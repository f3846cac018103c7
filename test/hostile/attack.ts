import { once } from 'node:events';
import { connect as connectNet, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { SeededRandom } from '../support/random.js';

/** A port of a service under attack. */
export interface Port {
  readonly port: number;
  readonly tls: boolean;
}

/** What the attackers know: ports that anybody can reach, and the tickets that one bad client has. */
export interface Target {
  readonly daemon: Port;
  readonly proxy: Port;
  readonly daemonMetrics: Port;
  readonly proxyMetrics: Port;
  /** Of the daemon's control service, a unix socket: only for removing the attackers' own tickets. */
  readonly controlSocket: string;
  /** A ticket that may write an image of 64 MiB. */
  readonly imageTicket: string;
  /** A ticket for a sparse image of 8 TiB. */
  readonly sparseTicket: string;
  /** The url of an NBD server that greets and then answers no command. */
  readonly hungNbdUrl: string;
  /** The url of a socket that accepts connections and says nothing. */
  readonly silentNbdUrl: string;
  /** Signed tickets for `imageTicket`. */
  readonly signedTicket: string;
}

/** How often an attack did what it does, and what it saw. */
export type Tally = Record<string, number>;

export interface AttackContext {
  readonly target: Target;
  readonly random: SeededRandom;
  readonly signal: AbortSignal;
  readonly tally: Tally;
}

/** One way to hurt the service. It goes on until the signal aborts, at a pace of its own that is bounded. */
export interface Attack {
  readonly name: string;
  run(context: AttackContext): Promise<void>;
}

export function count(tally: Tally, what: string, by = 1): void {
  tally[what] = (tally[what] ?? 0) + by;
}

/**
 * Does `step` again and again with a pause between, until the signal aborts. What a step
 * throws is counted by its code.
 */
export async function repeat(
  context: AttackContext,
  pauseMilliseconds: number,
  step: () => Promise<void>,
): Promise<void> {
  const { signal, tally } = context;
  while (!signal.aborted) {
    await step().catch((error: unknown) => {
      count(tally, (error as NodeJS.ErrnoException).code ?? 'failed');
    });
    await pause(pauseMilliseconds, signal);
  }
}

/** Waits; an abort ends the wait early. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => undefined);
}

/**
 * Attackers come from addresses of their own, so that none shares the fate of the honest client's address.
 */
function attackerAddress(random: SeededRandom): string {
  return `127.0.${1 + random.below(4)}.${1 + random.below(8)}`;
}

/** Opens a connection whose later failures nobody needs to hear of. TLS is done when it resolves. */
export async function connect({ random, signal }: AttackContext, { port, tls }: Port): Promise<Socket> {
  const where = { host: '127.0.0.1', port, localAddress: attackerAddress(random) };
  const socket = tls ? connectTls({ ...where, rejectUnauthorized: false }) : connectNet(where);
  socket.on('error', () => socket.destroy());
  const abort = (): void => {
    socket.destroy();
  };
  signal.addEventListener('abort', abort, { once: true });
  socket.once('close', () => {
    signal.removeEventListener('abort', abort);
  });
  await Promise.race([once(socket, tls ? 'secureConnect' : 'connect'), once(socket, 'close')]);
  if (socket.destroyed) throw new ClosedError();
  return socket;
}

/** The service closed the connection, as it may. */
export class ClosedError extends Error {
  readonly code = 'closed';
}

/** Resolves when the connection is gone, or at the deadline. */
export async function untilClosed(socket: Socket, milliseconds: number, signal: AbortSignal): Promise<void> {
  if (socket.destroyed) return;
  const waited = new AbortController();
  const both = AbortSignal.any([signal, waited.signal]);
  await Promise.race([
    once(socket, 'close', { signal: both }).catch(() => undefined),
    pause(milliseconds, both),
  ]);
  waited.abort();
}

/** The head of a request. */
export function head(method: string, path: string, ...headers: readonly string[]): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n');
}

/**
 * Sends one request on a connection of its own and counts the status; what comes after
 * the head is not read.
 */
export async function requestOnce(
  context: AttackContext,
  port: Port,
  request: string | Buffer,
  waitMilliseconds = 2000,
): Promise<void> {
  const socket = await connect(context, port);
  try {
    socket.write(request);
    const answer = await Promise.race([
      once(socket, 'data') as Promise<[Buffer]>,
      untilClosed(socket, waitMilliseconds, context.signal).then(() => undefined),
    ]);
    const status = answer === undefined ? 'no answer' : answer[0].toString('latin1', 9, 12);
    count(context.tally, status);
  } finally {
    socket.destroy();
  }
}
