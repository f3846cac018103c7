import type { TicketInfo } from '#sdk';
import { StatusLine, type ProgressOutput } from '../status-line.js';
import { formatBytes } from '../ticket-table.js';

/** Lines of a log stay few. */
const lineMilliseconds = 10_000;

/** Shows what became of a disk: in one line that changes on a terminal, elsewhere a line now and then. */
export class ServeProgress {
  readonly #line: StatusLine;
  #dueAt = -Infinity;
  #last: { readonly bytes: number; readonly atMilliseconds: number } | undefined;

  constructor(output: ProgressOutput) {
    this.#line = new StatusLine(output);
  }

  show(ticket: TicketInfo): void {
    const now = performance.now();
    const isDue = now >= this.#dueAt;
    this.#line.show(this.#words(ticket, now), isDue);
    if (isDue) this.#dueAt = now + lineMilliseconds;
  }

  /** Leaves what was shown last behind. */
  end(ticket: TicketInfo | undefined): void {
    if (ticket !== undefined) this.#line.show(this.#words(ticket, performance.now()), true);
    this.#line.end();
  }

  #words({ transferred = 0, size, connections, active }: TicketInfo, now: number): string {
    const { bytes, atMilliseconds } = this.#last ?? { bytes: transferred, atMilliseconds: now };
    const seconds = (now - atMilliseconds) / 1000;
    this.#last = { bytes: transferred, atMilliseconds: now };
    const done = `${formatBytes(transferred)} of ${formatBytes(size)} transferred`;
    const clients = `${connections} ${connections === 1 ? 'connection' : 'connections'}`;
    if (!active || seconds === 0) return `${done}, ${clients}`;
    return `${done}, ${clients}, ${formatBytes(Math.round((transferred - bytes) / seconds))}/s`;
  }
}
