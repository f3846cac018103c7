import { BlockList } from 'node:net';
import { NodeTransport } from '#sdk';
import { HttpImage } from '#sdk/transfer';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/**
 * The same image through the unix socket of its service, where that is on this host: what goes through memory
 * alone costs half. A service at a loopback address may be at the end of a tunnel, where the socket of its
 * name is somebody else's, so it is believed to be here only at another address of this host.
 * @param image is closed when another one is returned
 */
export async function atOwnHost(
  image: HttpImage,
  { ownAddress }: NodeTransport,
  path: string,
  signal: AbortSignal,
): Promise<HttpImage> {
  const { unixSocket } = image.capabilities;
  if (unixSocket === undefined || ownAddress === undefined || isLoopback(ownAddress)) return image;
  const transport = new NodeTransport({ baseUrl: 'http://localhost', socketPath: unixSocket });
  try {
    const local = await HttpImage.open(transport, path, signal);
    await image.close();
    return local;
  } catch {
    // Whatever is there instead, the image has been reached before.
    await transport.close();
    signal.throwIfAborted();
    return image;
  }
}

function isLoopback(address: string): boolean {
  return loopback.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
}
