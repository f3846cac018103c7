import { imageRoutes } from '../contract/image-routes.js';
import { InvalidRequestError } from '../base/errors.js';

/** The number of a job. No id of a ticket ends like this by chance: those that do say `%2F`. */
const jobNumber = '[1-9][0-9]{0,14}';

/** What can follow the id of an image. The first match is the longest, as one may be the end of another. */
const imageSubResource = new RegExp(
  `(?:${[...new Set(imageRoutes.map(({ path }) => path))]
    .filter((path) => path !== '')
    .map((path) => path.replace(':job', jobNumber))
    .join('|')})$`,
);

const nothing = /$/;

/** Collections whose ids may have slashes, and what can follow an id. */
const subResources: Readonly<Record<string, RegExp>> = {
  images: imageSubResource,
  tickets: /\/ranges$/,
  sessions: nothing,
};

/**
 * Rewrites the path of a request so that routes can be written plainly. The id of a ticket is everything
 * between the collection and the end, or a known sub-resource, and may have slashes in it; a router's `:id`
 * stops at the first one. So the id becomes one percent-encoded segment: `/images/a/b/extents` is routed as
 * `/images/a%2Fb/extents`. Nothing is decoded or normalised here, a `..` stays what the client sent.
 *
 * @param url path and query as they were sent
 */
export function routableUrl(url: string): string {
  const queryStart = url.indexOf('?');
  const path = queryStart < 0 ? url : url.slice(0, queryStart);
  const query = queryStart < 0 ? '' : url.slice(queryStart);
  const match = /^\/([a-z]+)\/(.*)$/s.exec(path);
  const [, collection = '', rest = ''] = match ?? [];
  const known = Object.hasOwn(subResources, collection) ? subResources[collection] : undefined;
  if (known === undefined) return url;
  const [subResource = ''] = known.exec(rest) ?? [];
  const id = rest.slice(0, rest.length - subResource.length);
  // An empty id is the collection itself, whatever was asked of it: `/images//extents` misses its id like
  // `/images/`.
  if (id === '' || id === '/') return `/${collection}/${query}`;
  return `/${collection}/${id.replaceAll('/', '%2F')}${subResource}${query}`;
}

/** An image in a path that needs no rewriting and no decoding. */
export interface PlainImagePath {
  readonly ticketId: string;
  readonly query: Readonly<Record<string, string>>;
}

/** As clients write nearly all of their requests: a UUID, and flags such as `flush=n`. */
const plainPath = /^\/images\/([\w-]{1,64})(?:\?([a-z]+=[\w-]*(?:&[a-z]+=[\w-]*){0,7}))?$/;

/**
 * What the router would find in the path of a request for an image itself.
 * @returns undefined where that takes more than a look
 */
export function plainImagePath(url: string): PlainImagePath | undefined {
  const [, ticketId, parameters] = plainPath.exec(url) ?? [];
  if (ticketId === undefined) return undefined;
  const query: Record<string, string> = {};
  for (const parameter of parameters?.split('&') ?? []) {
    const at = parameter.indexOf('=');
    const name = parameter.slice(0, at);
    // A router makes a list of a repeated one.
    if (Object.hasOwn(query, name)) return undefined;
    query[name] = parameter.slice(at + 1);
  }
  return { ticketId, query };
}

/**
 * The id of the ticket in the path of an image request, decoded; undefined when there is none or it cannot be
 * decoded.
 */
export function ticketIdOfImage(url: string): string | undefined {
  const plain = plainPath.exec(url);
  if (plain !== null) return plain[1];
  return decoded(/^\/images\/([^/?]+)/.exec(routableUrl(url))?.[1]);
}

/** The same of a request to the control service. */
export function ticketIdOfControl(url: string): string | undefined {
  return decoded(/^\/tickets\/([^/?]+)/.exec(routableUrl(url))?.[1]);
}

/** What is wrong with a request for an image that does not say which. */
export function missingTicketId(): InvalidRequestError {
  return new InvalidRequestError('Ticket id is required');
}

function decoded(encodedId: string | undefined): string | undefined {
  try {
    return encodedId === undefined ? undefined : decodeURIComponent(encodedId);
  } catch {
    return undefined;
  }
}
