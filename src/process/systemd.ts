import koffi from 'koffi';
import { getSystemErrorName } from 'node:util';
import { endianness } from 'node:os';

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
 * @param notifySocket the value of NOTIFY_SOCKET: a path, or `@name` for an abstract socket; without one
 * nobody asked
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
  // Node has no unix datagram sockets, so this calls libc. Blocking is right: the message is one short
  // datagram, and dropping it because the manager's queue is full would fail the start.
  const libc = loadLibc();
  const descriptor = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw failure('open a datagram socket');
  try {
    const message = Buffer.from(state);
    const sent = libc.sendto(descriptor, message, message.length, MSG_NOSIGNAL, address, address.length);
    if (sent !== message.length) throw failure(`send ${state} to ${notifySocket}`);
  } finally {
    libc.close(descriptor);
  }
  return true;
}

// Values of Linux, the same on every architecture that Node runs on there.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
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

function failure(action: string): NotifyError {
  return new NotifyError(`Cannot ${action}: ${getSystemErrorName(-koffi.errno())}`);
}

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  sendto(
    descriptor: number,
    message: Buffer,
    length: number,
    flags: number,
    address: Buffer,
    addressLength: number,
  ): number;
  close(descriptor: number): number;
}

/** The libc that the process already has, whatever its name on this system. */
function loadLibc(): Libc {
  const symbols = koffi.load(null);
  return {
    socket: symbols.func('int socket(int domain, int type, int protocol)'),
    sendto: symbols.func(
      'intptr_t sendto(int fd, const void *message, size_t length, int flags, const void *address, ' +
        'uint32_t address_length)',
    ),
    close: symbols.func('int close(int fd)'),
  };
}
