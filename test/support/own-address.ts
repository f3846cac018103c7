import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';

/** An IPv4 address by which this machine is known to others; undefined when it has none. */
export function ownAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ address, internal }) => !internal && isIPv4(address))?.address;
}
