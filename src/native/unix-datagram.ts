import { lastErrnoName, libc } from './libc.js';

// Values of Linux, the same on every architecture that Node runs on there.
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;

export const AF_UNIX = 1;

const functions = {
  socket: libc.func('int socket(int domain, int type, int protocol)') as (
    domain: number,
    type: number,
    protocol: number,
  ) => number,
  sendto: libc.func('sendto', 'intptr_t', [
    'int',
    'const void *',
    'size_t',
    'int',
    'const void *',
    'uint32_t',
  ]) as (
    fd: number,
    message: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ) => number,
  close: libc.func('int close(int fd)') as (fd: number) => number,
};

/**
 * Sends one datagram over a unix socket, which Node has no way to do. Blocks while the receiver's queue is
 * full.
 * @param address a `struct sockaddr_un`
 * @returns undefined, or what failed and the name of its errno
 */
export function sendUnixDatagram(
  message: Uint8Array,
  address: Uint8Array,
): { readonly call: 'socket' | 'sendto'; readonly errno: string } | undefined {
  const fd = functions.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return { call: 'socket', errno: lastErrnoName() };
  try {
    const sent = functions.sendto(fd, message, message.length, MSG_NOSIGNAL, address, address.length);
    return sent === message.length ? undefined : { call: 'sendto', errno: lastErrnoName() };
  } finally {
    functions.close(fd);
  }
}
