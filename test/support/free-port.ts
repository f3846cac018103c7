import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

// Below what kernels hand out by themselves (from 32768 on Linux, 49152 by RFC 6335). A port from that
// range that is free now may be somebody's a moment later; worse, whoever tries to connect there again and
// again may one day be connected to himself.
const portMin = 10_000;
const portMax = 32_000;
const attemptsMax = 100;

/**
 * A port on which nothing listens, for servers that have to be told theirs, or that
 * come and go at one address.
 */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const port = randomInt(portMin, portMax);
    if (await canListen(address, port)) return port;
  }
  throw new Error(`No free port at ${address} after ${attemptsMax} attempts`);
}

async function canListen(address: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, address);
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
