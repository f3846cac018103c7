import koffi from 'koffi';
import { libc } from './libc.js';
import { AF_UNIX } from './unix-datagram.js';

/** The calls on sockets that another process has made and left open for this one. */

// asm-generic/socket.h, bits/socket.h, asm-generic/fcntl.h
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SOCK_STREAM = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** `struct sockaddr_storage`. */
const addressBytesMax = 128;

const fcntl = libc.func('int fcntl(int fd, int command, int value)') as (
  fd: number,
  command: number,
  value: number,
) => number;
const getsockopt = libc.func('getsockopt', 'int', [
  'int',
  'int',
  'int',
  koffi.out(koffi.pointer('int')),
  koffi.inout(koffi.pointer('uint32_t')),
]) as (fd: number, level: number, option: number, value: [number], length: [number]) => number;
const getsockname = libc.func('getsockname', 'int', [
  'int',
  'void *',
  koffi.inout(koffi.pointer('uint32_t')),
]) as (fd: number, address: Uint8Array, length: [number]) => number;

/** Where a socket listens. */
export type ListeningAddress =
  | { readonly kind: 'path' | 'abstract'; readonly address: string }
  | { readonly kind: 'tcp'; readonly port: number; readonly isLoopback: boolean };

/** Whether `fd` stays open for the program that replaces this one by execve. @returns false: no such fd */
export function setKeptAtExec(fd: number, isKept: boolean): boolean {
  return fcntl(fd, F_SETFD, isKept ? 0 : FD_CLOEXEC) === 0;
}

/** Where the stream socket `fd` listens; undefined when it is something else or listens nowhere. */
export function listeningAddressOf(fd: number): ListeningAddress | undefined {
  if (optionOf(fd, SO_TYPE) !== SOCK_STREAM || optionOf(fd, SO_ACCEPTCONN) !== 1) return undefined;
  const bytes = Buffer.alloc(addressBytesMax);
  const length: [number] = [bytes.length];
  if (getsockname(fd, bytes, length) !== 0) return undefined;
  const family = new Uint16Array(bytes.buffer, bytes.byteOffset, 1)[0];
  if (family === AF_UNIX) return unixAddressOf(bytes.subarray(2, length[0]));
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  // The port is in network byte order, and what is after it depends on the family.
  const host = family === AF_INET ? bytes.subarray(4, 8) : bytes.subarray(8, 24);
  const isLoopback = family === AF_INET ? host[0] === 127 : host.equals(ipv6Loopback);
  return { kind: 'tcp', port: bytes.readUInt16BE(2), isLoopback };
}

const ipv6Loopback = Buffer.from('00000000000000000000000000000001', 'hex');

/** An abstract name is exactly as long as the address says, a path ends at its NUL. */
function unixAddressOf(name: Buffer): ListeningAddress | undefined {
  if (name.length === 0) return undefined;
  if (name[0] === 0) return { kind: 'abstract', address: name.toString() };
  const end = name.indexOf(0);
  return { kind: 'path', address: name.toString('utf8', 0, end < 0 ? name.length : end) };
}

function optionOf(fd: number, option: number): number | undefined {
  const value: [number] = [0];
  return getsockopt(fd, SOL_SOCKET, option, value, [4]) === 0 ? value[0] : undefined;
}
