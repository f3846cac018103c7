const linkForm = /^<\?([^<>]*)>; rel="next"$/;
const startForm = /^\d{1,16}$/;

/** What a list that is asked for in pages is about: bytes from `start` on, as many as `length` says. */
interface PageParameters {
  readonly start: number;
  readonly length: number | undefined;
}

/** Of a query whose numbers were found to be good. */
export function pageParameters(parameters: URLSearchParams): PageParameters {
  const length = parameters.get('length');
  return {
    start: Number(parameters.get('start') ?? 0),
    length: length === null ? undefined : Number(length),
  };
}

/**
 * The `Link` (RFC 8288) to the page after the one that was asked for. Its target is relative, and only a
 * query, so that it holds wherever the request came in.
 * @param url of the request for this page
 * @param nextBytes where the next page begins
 */
export function nextPageLink(url: string | undefined, nextBytes: number): string {
  const parameters = queryOf(url);
  const { start, length } = pageParameters(parameters);
  parameters.set('start', String(nextBytes));
  if (length !== undefined) parameters.set('length', String(start + length - nextBytes));
  return `<?${parameters.toString()}>; rel="next"`;
}

/** Where the page begins that such a link leads to; undefined for any other text. */
export function nextPageStart(link: unknown): number | undefined {
  const [, query] = (typeof link === 'string' ? linkForm.exec(link) : null) ?? [];
  const start = query === undefined ? null : new URLSearchParams(query).get('start');
  if (start === null || !startForm.test(start)) return undefined;
  return Number.isSafeInteger(Number(start)) ? Number(start) : undefined;
}

export function queryOf(url: string | undefined): URLSearchParams {
  const [, query = ''] = /\?(.*)$/s.exec(url ?? '') ?? [];
  return new URLSearchParams(query);
}
