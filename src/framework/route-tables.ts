import type { RouteShorthandOptions } from 'fastify';
import { audiences, type Audience } from '../wire/audience.js';
import { RouteTable } from './route-table.js';

/** The routes of an application, by whom they are for. */
export class RouteTables {
  readonly #tables = new Map(audiences.map((audience) => [audience, new RouteTable()]));

  /**
   * @param url in the router's notation
   * @throws Error when the route does not say whom it is for: it could be reached from everywhere
   */
  add(
    methods: string | readonly string[],
    url: string,
    constraints: RouteShorthandOptions['constraints'],
  ): void {
    const audience: unknown = constraints?.['audience'];
    const table = this.#tables.get(audience as Audience);
    if (table === undefined)
      throw new Error(`The route ${String(methods)} ${url} does not say whom it is for`);
    table.add(methods, url);
  }

  of(audience: Audience): RouteTable {
    const table = this.#tables.get(audience);
    if (table === undefined) throw new Error(`There is no audience ${audience}`);
    return table;
  }
}
