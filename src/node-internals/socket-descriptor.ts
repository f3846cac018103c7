import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import {
  duplicateDescriptor,
  hasHungUp,
  resetWhenClosed,
  setSendBufferBytes,
  unacknowledgedBytesOf,
} from '../native/socket-calls.js';
import { CanaryServer, expectThat } from './canary-server.js';
import { Trick } from './trick.js';

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
 * Sets how many written bytes the kernel keeps for the socket until they are sent; `net.core.wmem_max`
 * bounds it.
 */
export function setSendBuffer(socket: Socket, lengthBytes: number): void {
  const fd = descriptor(socket);
  if (fd >= 0) setSendBufferBytes(fd, lengthBytes);
}

/**
 * Makes the coming `destroy` of a TCP socket reset the connection, with TLS too, which Node's
 * `resetAndDestroy` does not know. After an ordinary close the other side would take the request for
 * complete and go on answering it.
 */
export function closeByReset(socket: Socket): void {
  const fd = descriptor(socket);
  if (fd >= 0) resetWhenClosed(fd);
}

/**
 * How much the other side has not acknowledged of what was handed to the operating system or waits for that;
 * undefined when the socket is closed. The figure falls with each byte that the other side takes, however
 * slowly.
 */
export function unacknowledgedBytes(socket: Socket): number | undefined {
  if (!usingDescriptors.inUse) return socket.destroyed ? undefined : socket.writableLength;
  const handle = handleOf(socket);
  const fd = handle?.fd ?? -1;
  const unacknowledged = fd < 0 ? undefined : unacknowledgedBytesOf(fd);
  if (unacknowledged === undefined) return undefined;
  // With TLS it is the connection below whose queue gets shorter bit by bit.
  return unacknowledged + ((handle?._parent ?? handle)?.writeQueueSize ?? 0);
}

/**
 * The other side has closed both directions, or reset the connection. Node does not tell this once a socket
 * has been read to its end. Over TCP a full close shows only after something was sent.
 */
export function isPeerGone(socket: Socket): boolean {
  if (!usingDescriptors.inUse) return socket.destroyed;
  const fd = descriptor(socket);
  return fd < 0 || hasHungUp(fd);
}

/**
 * Takes the connection out of a socket, which is destroyed; the other side does not notice.
 * @returns its descriptor, the caller's from now on
 * @throws Error when the socket is closed, or descriptors are not to be used
 */
export function takeDescriptor(socket: Socket): number {
  const taken = duplicateDescriptor(descriptor(socket));
  socket.destroy();
  return taken;
}

/** -1 when the socket is closed, or descriptors are not to be used. */
function descriptor(socket: Socket): number {
  return (usingDescriptors.inUse ? handleOf(socket)?.fd : undefined) ?? -1;
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
