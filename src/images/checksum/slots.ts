/**
 * A fixed set of things that are taken for a while and put back; who finds none waits in order of arrival.
 */
export class Slots<T> {
  readonly #free: T[];
  readonly #waiters: ((item: T) => void)[] = [];

  constructor(readonly items: readonly T[]) {
    this.#free = [...items];
  }

  async take(): Promise<T> {
    return this.#free.pop() ?? (await new Promise<T>((resolve) => this.#waiters.push(resolve)));
  }

  put(item: T): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#free.push(item);
    } else {
      waiter(item);
    }
  }
}
