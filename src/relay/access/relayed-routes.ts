import { imageRoutes, type ImageRoute } from '../../contract/image-routes.js';

/**
 * What can be asked of a relayed image, and of what belongs to it. DELETE is relayed only where the table has
 * it: no daemon, however new, deletes an image.
 */
export const relayedMethods = ['OPTIONS', 'GET', 'HEAD', 'PUT', 'PATCH', 'POST'] as const;

type RelayedMethod = (typeof relayedMethods)[number];

/** A route whose requests go to a daemon. */
export interface RelayedRoute extends Pick<
  ImageRoute,
  'name' | 'method' | 'path' | 'kind' | 'isLongWork' | 'hasEarlyHead'
> {
  /** Undefined for what is not in the contract. */
  readonly contract?: ImageRoute['contract'];
}

/**
 * The relayed routes of the images API, followed by all other methods on the same paths. Those are relayed
 * too: the daemon may be newer than the proxy, so only it can say that it has no such route.
 */
export function relayedRoutes(): readonly RelayedRoute[] {
  const table: readonly ImageRoute[] = imageRoutes;
  const relayed = table.filter((route) => route.relayed);
  const paths = [...new Set(relayed.map(({ path }) => path))];
  const others = paths.flatMap((path) =>
    relayedMethods
      .filter((method) => !table.some((route) => route.path === path && route.method === method))
      .map((method) => unknownRoute(method, path, relayed)),
  );
  return [...relayed, ...others];
}

/** Which kind of operation a request is counted as until the daemon has answered. */
const kindsOfMethods = { OPTIONS: 'options', PUT: 'write', POST: 'write', PATCH: 'zero' } as const;

function unknownRoute(
  method: RelayedMethod,
  path: ImageRoute['path'],
  relayed: readonly ImageRoute[],
): RelayedRoute {
  const name = `${method}${path}`;
  if (method === 'GET' || method === 'HEAD') {
    const read = relayed.find((route) => route.path === path && route.method === 'GET');
    const { kind, isLongWork } = read ?? { kind: 'read', isLongWork: false };
    return { name, method, path, kind, isLongWork };
  }
  return { name, method, path, kind: kindsOfMethods[method], isLongWork: method !== 'OPTIONS' };
}
