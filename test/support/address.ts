import type { ConnectionOptions } from 'node:tls';

/** Where a listener is, as a client needs to know it. */
export type Address =
  | { readonly kind: 'tls'; readonly port: number; readonly ca: string }
  | { readonly kind: 'tcp'; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/**
 * Reads an address of the `Ready for requests` record: `https://[::]:54322`, `http://127.0.0.1:54324`,
 * `unix:/run/sock` or `unix:\u0000name`.
 * @param ca PEM of the authority to trust, for https
 */
export function parseAddress(address: string, ca: string): Address {
  // An abstract socket's name begins with a NUL, which logs may show as the escape that configurations use.
  if (address.startsWith('unix:'))
    return { kind: 'unix', path: address.slice('unix:'.length).replace(/^\\u0000/, '\0') };
  const url = new URL(address);
  const port = Number(url.port);
  if (!Number.isInteger(port) || port === 0) throw new Error(`No port in the listener address ${address}`);
  return url.protocol === 'https:' ? { kind: 'tls', port, ca } : { kind: 'tcp', port };
}

/**
 * The same for node:http(s), net and tls. Names, not addresses, are dialled:
 * certificates are checked against them.
 */
export function connectOptions(address: Address): ConnectionOptions & { socketPath?: string } {
  if (address.kind === 'unix') return { path: address.path, socketPath: address.path };
  if (address.kind === 'tcp') return { host: 'localhost', port: address.port };
  return { host: 'localhost', servername: 'localhost', port: address.port, ca: address.ca };
}
