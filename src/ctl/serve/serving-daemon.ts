import { isIPv6 } from 'node:net';
import type { Endpoint } from '#sdk';

/** A daemon that tickets can be added to, and that clients reach. */
export interface ServingDaemon extends AsyncDisposable {
  /** Of its control service. */
  readonly control: Endpoint;
  /** `https://HOST:PORT`, as clients reach its images. */
  readonly imagesUrl: string;
  /** PEM file of the authority that its certificate is verified with; undefined for the system's. */
  readonly cafile: string | undefined;
  /** The user that it runs as, who has to be let in at the disk. */
  readonly userId: number;
}

/** @param host a name or an address */
export function urlOf(scheme: 'http' | 'https', host: string, port: number): string {
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
