import type { Socket } from 'node:net';
import { setSendBuffer } from '../../../node-internals/socket-descriptor.js';
import { MiB } from '../../../base/units.js';

/** One write of the usual size, so that it is handed over at once. */
const sendBufferBytes = MiB;

/**
 * Lets the kernel hold a whole write of a unix socket. With its usual 208 KiB sender and receiver take
 * turns five times for each MiB, and an upload to qemu-nbd takes a sixth longer. TCP adapts by itself.
 * Without effect where it is refused.
 */
export function enlargeSendBuffer(socket: Socket): void {
  setSendBuffer(socket, sendBufferBytes);
}
