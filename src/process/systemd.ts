import { endianness } from 'node:os';
import { AF_UNIX, sendUnixDatagram } from '../native/unix-datagram.js';

/**
 * The service manager could not be told; without READY=1 it ends a `Type=notify` service after its start
 * timeout.
 */
export class NotifyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotifyError';
  }
}

/**
 * Tells systemd that every listener is bound (`READY=1`, sd_notify(3)).
 * @param notifySocket the value of NOTIFY_SOCKET: a path, or `@name` for an abstract socket; undefined when
 * the service manager does not want to be told
 * @returns whether somebody was told
 * @throws NotifyError when the socket does not take the message
 */
export function notifyReady(notifySocket: string | undefined): boolean {
  return notify(notifySocket, 'READY=1');
}

/** Tells systemd that the service has begun to stop (`STOPPING=1`); otherwise like `notifyReady`. */
export function notifyStopping(notifySocket: string | undefined): boolean {
  return notify(notifySocket, 'STOPPING=1');
}

function notify(notifySocket: string | undefined, state: string): boolean {
  if (notifySocket === undefined || notifySocket === '') return false;
  const address = socketAddress(notifySocket);
  // That it may block is right: the message is one short datagram, and dropping it because the manager's
  // queue is full would fail the start.
  const failure = sendUnixDatagram(Buffer.from(state), address);
  if (failure !== undefined) {
    const action = failure.call === 'socket' ? 'open a datagram socket' : `send ${state} to ${notifySocket}`;
    throw new NotifyError(`Cannot ${action}: ${failure.errno}`);
  }
  return true;
}

const sunPathBytesMax = 108;

/** A `struct sockaddr_un`: the family in host byte order, then the name. */
function socketAddress(notifySocket: string): Buffer {
  const abstract = notifySocket.startsWith('@');
  if (!abstract && !notifySocket.startsWith('/')) {
    throw new NotifyError(`NOTIFY_SOCKET ${notifySocket} is neither a path nor an abstract socket`);
  }
  // An abstract name is exactly as long as the address says, a path ends at its NUL.
  const name = Buffer.from(abstract ? `\0${notifySocket.slice(1)}` : `${notifySocket}\0`);
  if (name.length > sunPathBytesMax) throw new NotifyError(`NOTIFY_SOCKET ${notifySocket} is too long`);
  const family = Buffer.alloc(2);
  if (endianness() === 'LE') family.writeUInt16LE(AF_UNIX);
  else family.writeUInt16BE(AF_UNIX);
  return Buffer.concat([family, name]);
}
