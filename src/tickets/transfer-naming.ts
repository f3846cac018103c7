import type { IncomingMessage, ServerResponse } from 'node:http';
import { Exchange } from '../http/exchange.js';
import type { TicketStore } from './ticket.store.js';

interface Application {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  readonly allowedMethods: readonly string[];
}

/**
 * Stands before an application, and lets the log of each request say which transfer it is of, also when the request is then refused for
 * whatever reason. A path whose id no ticket has says nothing: its id may be a secret, here or elsewhere.
 */
export class TransferNaming implements Application {
  /** @param ticketIdOf the decoded id in a url, if there is one */
  constructor(
    private readonly tickets: Pick<TicketStore, 'find'>,
    private readonly ticketIdOf: (url: string) => string | undefined,
    private readonly application: Application,
  ) {}

  get allowedMethods(): readonly string[] {
    return this.application.allowedMethods;
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    const exchange = Exchange.of(request);
    this.#name(exchange).then(
      () => {
        this.application.handle(request, response);
      },
      (error: unknown) => {
        exchange.fail(error);
      },
    );
  };

  async #name({ request, logFields }: Exchange): Promise<void> {
    const id = this.ticketIdOf(request.url ?? '');
    const ticket = id === undefined ? undefined : await this.tickets.find(id);
    if (ticket !== undefined) logFields['transfer_id'] = ticket.transferId;
  }
}
