/** One event as it was received. */
export interface ReceivedEvent {
  /** Its type. */
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
}

/** Longer events are no work of ours. */
const eventCharactersMax = 1_048_576;

/**
 * Takes `text/event-stream` apart (HTML standard, "Parsing an event stream"). Comments, `retry` and events
 * without data are left out.
 */
export class EventReader {
  readonly #decoder = new TextDecoder();
  #rest = '';
  #event = '';
  #data: string[] = [];
  #characters = 0;
  #id: string | undefined;

  /**
   * @returns the events that are complete with this piece
   * @throws RangeError when one is longer than 1 MiB
   */
  push(piece: Uint8Array): ReceivedEvent[] {
    const events: ReceivedEvent[] = [];
    const lines = (this.#rest + this.#decoder.decode(piece, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = this.#line(line.endsWith('\r') ? line.slice(0, -1) : line);
      if (event !== undefined) events.push(event);
    }
    if (this.#characters + this.#rest.length > eventCharactersMax) {
      throw new RangeError(`An event has more than ${eventCharactersMax} characters`);
    }
    return events;
  }

  #line(line: string): ReceivedEvent | undefined {
    if (line === '') return this.#complete();
    this.#characters += line.length;
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.startsWith(' ', colon + 1) ? colon + 2 : colon + 1);
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id') this.#id = value;
    return undefined;
  }

  #complete(): ReceivedEvent | undefined {
    const event = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id };
    const isEmpty = this.#data.length === 0;
    this.#event = '';
    this.#data = [];
    this.#characters = 0;
    return isEmpty ? undefined : event;
  }
}
