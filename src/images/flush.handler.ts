import type { Exchange } from '../http/exchange.js';
import type { OperationRunner } from './operation-runner.js';

/** PATCH /images/{id} with op flush: answers when everything written is on stable storage. */
export class FlushHandler {
  constructor(private readonly runner: OperationRunner) {}

  async handle(exchange: Exchange, ticketId: string): Promise<void> {
    await this.runner.run(
      exchange,
      { ticketId, access: 'write', kind: 'flush' },
      async ({ operation, backend }) => {
        await backend.flush();
        operation.signal.throwIfAborted();
      },
    );
    exchange.send(200);
  }
}
