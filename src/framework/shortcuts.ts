import type { Audience } from '../wire/audience.js';
import type { Exchange } from '../wire/exchange.js';
import { answerItself } from './hijack.js';
import { type PlainImagePath, plainImagePath } from './ticket-path.js';

export type ShortcutMethod = 'GET' | 'PUT';

/** Answers a request for an image itself. @throws what the request is to be refused with */
export type ShortcutAnswer = (exchange: Exchange, asked: PlainImagePath) => Promise<void>;

/**
 * Past the router. Nearly all requests of a transfer read or write an image, and router, hooks and the
 * framework's own objects took a twentieth of the time of a small one. A request whose path is written
 * plainly needs none of them; any other takes the ordinary way, where it gets the same answer.
 */
export class Shortcuts {
  readonly #answers = new Map<string, ShortcutAnswer>();

  /** @param begin does what is due for every request that has a route, and throws what refuses it */
  constructor(private readonly begin: (exchange: Exchange, route: string) => void) {}

  /** @param answer what the route `/images/:id` of this audience and method does, and no other route */
  add(audience: Audience, method: ShortcutMethod, answer: ShortcutAnswer): void {
    this.#answers.set(keyOf(audience, method), answer);
  }

  /** @returns whether the request is answered by one of them */
  take(exchange: Exchange): boolean {
    const { method = '', url = '' } = exchange.request;
    const answer = this.#answers.get(keyOf(exchange.audience, method));
    const asked = answer === undefined ? undefined : plainImagePath(url);
    if (answer === undefined || asked === undefined) return false;
    answerItself(exchange, async () => {
      this.begin(exchange, '/images/:id');
      await answer(exchange, asked);
    });
    return true;
  }
}

function keyOf(audience: Audience, method: string): string {
  return `${audience} ${method}`;
}
