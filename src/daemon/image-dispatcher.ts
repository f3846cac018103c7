import type { IncomingMessage, ServerResponse } from 'node:http';
import { Exchange } from '../http/exchange.js';
import type { HttpApplication } from '../http/http-application.js';
import { ticketIdOfImage } from '../http/ticket-path.js';
import type { ListenerApplication } from '../listeners/listener-factory.js';
import type { TicketStore } from '../tickets/ticket.store.js';

/**
 * Stands before the daemon's two data applications: requests for a ticket whose url names an image on another daemon go to the relay,
 * all others to the images API. So neither of the two knows of the other.
 */
export class ImageDispatcher implements ListenerApplication {
  constructor(
    private readonly tickets: TicketStore,
    private readonly relaySchemes: readonly string[],
    private readonly applications: { readonly images: HttpApplication; readonly relay: HttpApplication },
  ) {}

  get allowedMethods(): readonly string[] {
    return this.applications.images.allowedMethods;
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    const { images, relay } = this.applications;
    const exchange = Exchange.of(request);
    this.#isRelayed(exchange).then(
      (isRelayed) => {
        (isRelayed ? relay : images).handle(request, response);
      },
      (error: unknown) => {
        exchange.fail(error);
      },
    );
  };

  /** Lets the log say which transfer it is, also when the request is refused, while it is looked up anyway. */
  async #isRelayed({ request, logFields }: Exchange): Promise<boolean> {
    const id = ticketIdOfImage(request.url ?? '');
    const ticket = id === undefined ? undefined : await this.tickets.find(id);
    if (ticket !== undefined) logFields['transfer_id'] = ticket.transferId;
    return ticket !== undefined && this.relaySchemes.some((scheme) => ticket.url.startsWith(`${scheme}:`));
  }
}
