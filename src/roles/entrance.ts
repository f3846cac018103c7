import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';
import type { ServiceAdapter } from '../framework/http-application.js';
import type { Audience } from '../wire/audience.js';
import { Exchange } from '../wire/exchange.js';
import type { ListenerApplication } from '../wire/listener-factory.js';
import type { TicketDefinition } from '../tickets/ticket-definition.js';
import type { TicketStore } from '../tickets/ticket.store.js';

export interface EntranceOptions {
  /** The decoded id in a url, if there is one. */
  readonly ticketIdOf: (url: string) => string | undefined;
  /** Says whose routes a client of this listener can reach with the ticket that its request names. */
  readonly audienceOf: (ticket: TicketDefinition | undefined) => Audience;
}

/**
 * Stands between a listener and the application, and says of each request whose routes it can reach. It also
 * lets the log of each request say which transfer it is of, even when the request is then refused for
 * whatever reason. When no ticket has the id in the path, nothing of it is logged: the id may be a secret
 * here or elsewhere.
 */
export class Entrance implements ListenerApplication {
  constructor(
    private readonly tickets: Pick<TicketStore, 'find'>,
    private readonly adapterHost: HttpAdapterHost<ServiceAdapter>,
    private readonly options: EntranceOptions,
  ) {}

  get allowedMethods(): readonly string[] {
    return this.adapterHost.httpAdapter.routes.of(this.options.audienceOf(undefined)).methods;
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    const exchange = Exchange.of(request);
    this.#look(exchange).then(
      () => {
        this.adapterHost.httpAdapter.handle(request, response);
      },
      (error: unknown) => {
        exchange.fail(error);
      },
    );
  };

  async #look(exchange: Exchange): Promise<void> {
    const { ticketIdOf, audienceOf } = this.options;
    const id = ticketIdOf(exchange.request.url ?? '');
    const ticket = id === undefined ? undefined : await this.tickets.find(id);
    exchange.audience = audienceOf(ticket);
    if (ticket !== undefined) exchange.logFields['transfer_id'] = ticket.transferId;
  }
}
