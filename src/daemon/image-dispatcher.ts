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
    this.#isRelayed(request.url ?? '').then(
      (isRelayed) => {
        (isRelayed ? relay : images).handle(request, response);
      },
      (error: unknown) => {
        Exchange.of(request).fail(error);
      },
    );
  };

  async #isRelayed(url: string): Promise<boolean> {
    const id = ticketIdOfImage(url);
    const ticket = id === undefined ? undefined : await this.tickets.find(id);
    return ticket !== undefined && this.relaySchemes.some((scheme) => ticket.url.startsWith(`${scheme}:`));
  }
}
