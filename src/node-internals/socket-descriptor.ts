import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import koffi from 'koffi';
import { CanaryServer, expectThat } from './canary-server.js';
import { Trick } from './trick.js';

// asm-generic/socket.h, asm-generic/sockios.h
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_LINGER = 13;
const SIOCOUTQ = 0x5411;

const libc = koffi.load(null);
const setsockopt = libc.func(
  'int setsockopt(int fd, int level, int option, int *value, uint32_t length)',
) as (fd: number, level: number, option: number, value: readonly number[], length: number) => number;
const ioctl = libc.func('int ioctl(int fd, unsigned long request, _Out_ int *value)') as (
  fd: number,
  request: number,
  value: [number],
) => number;

const PollDescriptor = koffi.struct({ fd: 'int', events: 'short', revents: 'short' });
// It reports errors and hang-ups without being asked for any event.
const poll = libc.func('poll', 'int', [
  koffi.inout(koffi.pointer(PollDescriptor)),
  'unsigned long',
  'int',
]) as (
  descriptors: { fd: number; events: number; revents: number }[],
  count: number,
  timeoutMilliseconds: number,
) => number;

/** Node has no public name for the file descriptor of a socket, nor for what waits in libuv to be written. */
export const usingDescriptors = new Trick({
  name: 'the file descriptors of sockets',
  plainWay:
    'a client that has gone is noticed later, a request that is given up is closed like one that ends, a ' +
    'slow client looks like a stuck one',
  canary: async () => {
    const service = createServer();
    await using server = await CanaryServer.open(service);
    const socket = server.connect();
    await server.during(once(socket, 'connect'));
    const handle = handleOf(socket);
    expectThat(
      typeof handle?.fd === 'number' && fstatSync(handle.fd).isSocket(),
      'sockets show no descriptor',
    );
    expectThat(typeof handle.writeQueueSize === 'number', 'sockets do not show what waits to be written');
  },
});

/**
 * Lets the kernel hold that much of what is written to the socket, or as much as net.core.wmem_max allows.
 */
export function setSendBuffer(socket: Socket, lengthBytes: number): void {
  setOption(socket, SO_SNDBUF, [lengthBytes]);
}

/**
 * Makes the coming `destroy` of a TCP socket reset the connection, with TLS too, which Node's
 * `resetAndDestroy` does not know. An ordinary close looks to the other side like that of somebody who has
 * sent all and waits for an answer.
 */
export function closeByReset(socket: Socket): void {
  setOption(socket, SO_LINGER, [1, 0]);
}

/**
 * How much the other side has not acknowledged of what was handed to the operating system or waits for that;
 * undefined when the socket is closed. It gets less with each byte that the other side takes, however
 * slowly.
 */
export function unacknowledgedBytes(socket: Socket): number | undefined {
  if (!usingDescriptors.inUse) return socket.destroyed ? undefined : socket.writableLength;
  const handle = handleOf(socket);
  const fd = handle?.fd ?? -1;
  const value: [number] = [0];
  if (fd < 0 || ioctl(fd, SIOCOUTQ, value) !== 0) return undefined;
  // With TLS it is the connection below whose queue gets shorter bit by bit.
  return value[0] + ((handle?._parent ?? handle)?.writeQueueSize ?? 0);
}

/**
 * The other side has closed both directions, or reset the connection. Who has read to the end of a socket
 * does not hear of that from Node. Over TCP a full close shows only after something was sent.
 */
export function isPeerGone(socket: Socket): boolean {
  if (!usingDescriptors.inUse) return socket.destroyed;
  const fd = descriptor(socket);
  if (fd < 0) return true;
  const polled = [{ fd, events: 0, revents: 0 }];
  return poll(polled, 1, 0) > 0;
}

function setOption(socket: Socket, option: number, value: readonly number[]): void {
  const fd = usingDescriptors.inUse ? descriptor(socket) : -1;
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, option, value, 4 * value.length);
}

function descriptor(socket: Socket): number {
  return handleOf(socket)?.fd ?? -1;
}

interface SocketHandle {
  readonly fd?: number;
  readonly writeQueueSize?: number;
  readonly _parent?: SocketHandle;
}

/** Node has no public name for it. */
function handleOf(socket: Socket): SocketHandle | undefined {
  return (socket as { readonly _handle?: SocketHandle | null })._handle ?? undefined;
}
