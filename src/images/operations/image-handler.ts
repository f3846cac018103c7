import type { Exchange } from '../../wire/exchange.js';

/** What the framework has parsed of a query string: a repeated name becomes a list. */
export type QueryValues = Readonly<Record<string, string | string[]>>;

/** Which image is meant, and how; headers and body are in the exchange. */
export interface AskedImage {
  /** As in the path, decoded. */
  readonly ticketId: string;
  readonly query: QueryValues;
  /** The other parameters of the path, by the names that the table of routes has for them. */
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Answers one route of the images API. What is wrong with headers and query it refuses before it looks at
 * the ticket, and it reads a body after it has (docs/protocol.md, "Order of checks"). It answers for itself:
 * no image byte passes the framework.
 */
export interface ImageHandler {
  /** @throws what the request is to be refused with */
  handle(exchange: Exchange, asked: AskedImage): Promise<void>;
}

/** By which the handler of a route is provided. @param routeName as in `contract/image-routes.ts` */
export function imageHandler(routeName: string): string {
  return `the handler of ${routeName}`;
}

/** The handlers of all routes. */
export class ImageHandlers {
  /** @param handlers by the names of their routes */
  constructor(private readonly handlers: ReadonlyMap<string, ImageHandler>) {}

  of(routeName: string): ImageHandler {
    const handler = this.handlers.get(routeName);
    if (handler === undefined) throw new Error(`The route ${routeName} has no handler`);
    return handler;
  }
}
