import type { HttpAdapterHost } from '@nestjs/core';
import type { Config } from '../config/config.js';
import type { ServiceAdapter } from '../framework/http-application.js';
import { ticketIdOfControl, ticketIdOfImage } from '../framework/ticket-path.js';
import type { HttpListener } from '../wire/http-listener.js';
import type { ListenerFactory } from '../wire/listener-factory.js';
import type { TicketStore } from '../tickets/ticket.store.js';
import { Entrance, type EntranceOptions } from './entrance.js';

/** The listeners that do the service's work, as the configuration wants them. */
export interface ServiceListeners {
  readonly remote: HttpListener;
  /** For clients on this host, which reach the same as those of the network. */
  readonly local: HttpListener | undefined;
  readonly control: HttpListener | undefined;
}

export interface EntranceParts {
  readonly factory: ListenerFactory;
  readonly tickets: TicketStore;
  readonly adapterHost: HttpAdapterHost<ServiceAdapter>;
  /** Whose routes a client of the network can reach. */
  readonly audienceOf: EntranceOptions['audienceOf'];
}

/**
 * Makes the listeners; nothing is bound yet.
 * @throws Error naming option and file when TLS has none to use
 */
export function serviceListeners(
  { local, control }: Config,
  { factory, tickets, adapterHost, audienceOf }: EntranceParts,
): ServiceListeners {
  const network = new Entrance(tickets, adapterHost, { ticketIdOf: ticketIdOfImage, audienceOf });
  const management = new Entrance(tickets, adapterHost, {
    ticketIdOf: ticketIdOfControl,
    audienceOf: () => 'control',
  });
  return {
    remote: factory.remote(network),
    local: local.enable ? factory.local(network) : undefined,
    control: control.enable ? factory.control(management) : undefined,
  };
}

export function allOf({ remote, local, control }: ServiceListeners): readonly HttpListener[] {
  return [remote, local, control].filter((listener) => listener !== undefined);
}
