import { isIPv6, type Socket } from 'node:net';

/**
 * The address of the client at the other end, as people write it: the kernel gives those of IPv4 clients as
 * mapped into IPv6 where a listener takes both.
 * @returns undefined for a unix socket
 */
export function clientAddressOf({ remoteAddress }: Pick<Socket, 'remoteAddress'>): string | undefined {
  return remoteAddress === undefined ? undefined : plainAddress(remoteAddress);
}

function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}

/**
 * What counts as one client: an IPv4 address, or a /64 of IPv6, which is the least that a customer has and
 * would otherwise be 2^64 clients.
 */
export function networkOf(address: string): string {
  const [plain = ''] = plainAddress(address).split('%');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // A dotted IPv4 address at the end stands for two groups.
  const missing = 8 - before.length - after.length - (plain.includes('.') ? 1 : 0);
  const groups = [...before, ...Array<string>(tail === undefined ? 0 : missing).fill('0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
