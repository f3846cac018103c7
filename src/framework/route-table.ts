interface Route {
  readonly method: string;
  readonly url: string;
  readonly pattern: RegExp;
}

/**
 * The routes of an application. It answers two questions that the router does not: which methods a path has,
 * and which methods there are at all.
 */
export class RouteTable {
  readonly #routes: Route[] = [];
  #methods: readonly string[] | undefined;

  /** @param url in the router's notation, e.g. `/images/:id/extents` */
  add(methods: string | readonly string[], url: string): void {
    const pattern = new RegExp(`^${url.replace(/:[a-z_]+/gi, '[^/]+').replace('*', '.*')}$`);
    this.#methods = undefined;
    for (const method of [methods].flat()) this.#routes.push({ method, url, pattern });
  }

  /** Every method that some route has, sorted. */
  get methods(): readonly string[] {
    // Kept, because every request needs it, while routes are added only at the start.
    this.#methods ??= [...new Set(this.#routes.map(({ method }) => method))].sort();
    return this.#methods;
  }

  get all(): readonly { readonly method: string; readonly url: string }[] {
    return this.#routes;
  }

  /**
   * The methods that `path` (without query, as routed) can be asked with; none when there is no such route.
   */
  methodsOf(path: string): readonly string[] {
    const found = this.#routes.filter(({ pattern }) => pattern.test(path));
    // A path may be that of a route of its own, and an id of another.
    return [...new Set(found.map(({ method }) => method))];
  }
}
