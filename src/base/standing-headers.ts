import { ServerResponse, type OutgoingHttpHeader, type OutgoingHttpHeaders } from 'node:http';

type Fields = OutgoingHttpHeaders | OutgoingHttpHeader[];

/**
 * An answer with headers that it has whatever becomes of it. Node keeps what `setHeader` is told by name, and
 * does the same with each header of the head that comes later, which costs more than writing them.
 */
export class StandingHeadersResponse extends ServerResponse {
  /** Names and values in turn. */
  readonly #standing: string[] = [];

  /** What is written as the head must not have the same header. */
  addStanding(name: string, value: string): void {
    this.#standing.push(name, value);
  }

  override writeHead(status: number, phrase?: string | Fields, fields?: Fields): this {
    const hasPhrase = typeof phrase === 'string';
    const head = [...this.#standing, ...flat(hasPhrase ? fields : phrase)];
    return hasPhrase ? super.writeHead(status, phrase, head) : super.writeHead(status, head);
  }
}

/** Adds such a header to an answer, or an ordinary one where there are none. */
export function addStandingHeader(response: ServerResponse, name: string, value: string): void {
  if (response instanceof StandingHeadersResponse) response.addStanding(name, value);
  else response.setHeader(name, value);
}

/** Names and values in turn. */
function flat(fields: Fields = {}): OutgoingHttpHeader[] {
  if (Array.isArray(fields)) return fields;
  const list: OutgoingHttpHeader[] = [];
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) list.push(name, value);
  return list;
}
