import { stat } from 'node:fs/promises';
import type { NbdLocation } from './nbd-url.js';

/**
 * One string per export, by whatever name its server is called: a unix socket may have several paths, and a
 * host several names. That a server has two sockets, nobody tells.
 * @param peer the address that the connection was made to, for a server on TCP
 */
export async function exportPlace(
  { address, exportName }: NbdLocation,
  peer: string | undefined,
): Promise<string> {
  if (!('socketPath' in address)) return `${peer ?? `${address.host}:${address.port}`}\0${exportName}`;
  const { socketPath } = address;
  try {
    const { dev, ino } = await stat(socketPath, { bigint: true });
    return `socket ${dev}:${ino}\0${exportName}`;
  } catch {
    // Its server goes on with the connections that it has when the socket was removed.
    return `${socketPath}\0${exportName}`;
  }
}
