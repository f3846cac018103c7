import type { Socket } from 'node:net';
import koffi from 'koffi';
import { MiB } from '../../../units.js';

/** One write of the usual size, so that it is handed over at once. The kernel gives less where net.core.wmem_max says so. */
const sendBufferBytes = MiB;

// asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;

const setSocketOption = koffi
  .load(null)
  .func('int setsockopt(int fd, int level, int option, int *value, uint32_t length)') as (
  fd: number,
  level: number,
  option: number,
  value: readonly number[],
  length: number,
) => number;

/**
 * Lets the kernel hold a whole write of a unix socket. With its usual 208 KiB sender and receiver take turns five times for each MiB, and
 * an upload to qemu-nbd takes a sixth longer. TCP adapts by itself. Without effect where it is refused.
 */
export function enlargeSendBuffer(socket: Socket): void {
  // Node has neither an option for it nor a public name for the descriptor.
  const fd = (socket as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1;
  if (fd >= 0) setSocketOption(fd, SOL_SOCKET, SO_SNDBUF, [sendBufferBytes], 4);
}
