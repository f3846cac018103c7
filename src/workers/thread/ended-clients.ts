import type { Socket } from 'node:net';

/** As often as the main thread looks after its own. */
const checkMilliseconds = 500;

/**
 * Notices clients that have gone after they had ended their side, which may also mean that they wait for an
 * answer: Node has no event for it. What asks the kernel is loaded when the first of them comes.
 */
export class EndedClients {
  readonly #clients = new Set<Socket>();
  #checks: NodeJS.Timeout | undefined;

  /** @param client whose side has ended */
  watch(client: Socket): void {
    this.#clients.add(client);
    client.once('close', () => {
      this.#clients.delete(client);
      if (this.#clients.size > 0) return;
      clearInterval(this.#checks);
      this.#checks = undefined;
    });
    this.#checks ??= setInterval(() => {
      void this.#check();
    }, checkMilliseconds);
  }

  async #check(): Promise<void> {
    const { isPeerGone } = await import('../../node-internals/socket-descriptor.js');
    for (const client of this.#clients) if (isPeerGone(client)) client.destroy();
  }
}
