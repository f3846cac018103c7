import koffi from 'koffi';
import { lastErrnoName, libc } from './libc.js';
import { AF_UNIX } from './unix-datagram.js';

/** The calls on connected sockets that Node lacks. They take the descriptor, and none of them blocks. */

// asm-generic/socket.h, asm-generic/sockios.h
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_LINGER = 13;
const SIOCOUTQ = 0x5411;
// asm-generic/fcntl.h, bits/socket_type.h
const F_DUPFD_CLOEXEC = 1030;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

const setsockopt = libc.func(
  'int setsockopt(int fd, int level, int option, int *value, uint32_t length)',
) as (fd: number, level: number, option: number, value: readonly number[], length: number) => number;
const ioctl = libc.func('int ioctl(int fd, unsigned long request, _Out_ int *value)') as (
  fd: number,
  request: number,
  value: [number],
) => number;

const fcntl = libc.func('int fcntl(int fd, int command, int value)') as (
  fd: number,
  command: number,
  value: number,
) => number;
const socketpair = libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *ends)') as (
  domain: number,
  type: number,
  protocol: number,
  ends: [number, number],
) => number;

const PollDescriptor = koffi.struct({ fd: 'int', events: 'short', revents: 'short' });
const poll = libc.func('poll', 'int', [
  koffi.inout(koffi.pointer(PollDescriptor)),
  'unsigned long',
  'int',
]) as (
  descriptors: { fd: number; events: number; revents: number }[],
  count: number,
  timeoutMilliseconds: number,
) => number;

/** Lets the kernel hold that much of what is sent, or as much as net.core.wmem_max allows (SO_SNDBUF). */
export function setSendBufferBytes(fd: number, lengthBytes: number): void {
  setOption(fd, SO_SNDBUF, [lengthBytes]);
}

/** Makes the close of a TCP socket reset the connection, and drop what was not sent (SO_LINGER). */
export function resetWhenClosed(fd: number): void {
  setOption(fd, SO_LINGER, [1, 0]);
}

/** How much of what was sent is not acknowledged yet (SIOCOUTQ); undefined when that can't be told. */
export function unacknowledgedBytesOf(fd: number): number | undefined {
  const value: [number] = [0];
  return ioctl(fd, SIOCOUTQ, value) === 0 ? value[0] : undefined;
}

/** Whether both directions are closed, or the connection has failed. */
export function hasHungUp(fd: number): boolean {
  // poll(2) reports errors and hang-ups without being asked for any event.
  return poll([{ fd, events: 0, revents: 0 }], 1, 0) > 0;
}

/** @returns another descriptor of the same socket, to be closed by itself. @throws Error */
export function duplicateDescriptor(fd: number): number {
  const duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (duplicate < 0) throw new Error(`Cannot duplicate a descriptor: ${lastErrnoName()}`);
  return duplicate;
}

/** @returns the two ends of a new unix stream connection. @throws Error */
export function connectedSockets(): readonly [number, number] {
  const ends: [number, number] = [-1, -1];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) !== 0) {
    throw new Error(`Cannot connect two sockets: ${lastErrnoName()}`);
  }
  return ends;
}

function setOption(fd: number, option: number, value: readonly number[]): void {
  setsockopt(fd, SOL_SOCKET, option, value, 4 * value.length);
}
