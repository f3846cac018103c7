import { BlockList, isIP } from 'node:net';
import { hostname } from 'node:os';
import { NotAllowedError } from '../base/errors.js';
import { Exchange } from './exchange.js';
import { describeError } from '../log/logger.js';
import type { RequestHandler } from './http-listener.js';

/**
 * Whether a listener answers to the host that a request is for: a name or an address, without port and
 * brackets.
 */
export type HostRule = (host: string) => boolean;

/**
 * Keeps web pages away from a listener that asks for no credential. Browsers hide the answers of one site
 * from the pages of another. An attacker gets around this by letting the name of his own site resolve to the
 * address of the listener (DNS rebinding). Then `Host` still has the attacker's name, and such requests are
 * refused. So are requests with `Origin`, which only browsers send.
 * @param isOwnHost of the `Host` header; requests without one pass, which browsers never send
 */
export function withoutWebPages(handle: RequestHandler, isOwnHost: HostRule): RequestHandler {
  return (request, response) => {
    const { host, origin } = request.headers;
    if (origin === undefined && (host === undefined || isOwnHost(hostOf(host)))) {
      handle(request, response);
      return;
    }
    const exchange = Exchange.of(request);
    const error = new NotAllowedError(
      origin === undefined ? 'Host names another site than this listener' : 'this is not for web pages',
    );
    exchange.logFields['error'] = describeError(error);
    exchange.fail(error);
  };
}

/** Any name: the listener is a socket in the file system, and no browser connects to one. */
export const anyHost: HostRule = () => true;

/** Names and addresses of loopback. */
export const localHost: HostRule = (host) => {
  if (host.toLowerCase() === 'localhost') return true;
  const family = isIP(host);
  return family !== 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
};

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * The hosts that monitoring systems ask for: any address, as DNS rebinding works with names only, the name
 * of this host, or one of `names`.
 * @param names as they are configured
 */
export function monitoringHost(names: readonly string[]): HostRule {
  const known = new Set(['localhost', hostname(), ...names].map((name) => name.toLowerCase()));
  return (host) => isIP(host) !== 0 || known.has(host.toLowerCase());
}

/** Without port and brackets; what is malformed stays as it is, and is nobody's name. */
function hostOf(header: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(header);
  return match?.[1] ?? match?.[2] ?? header;
}
