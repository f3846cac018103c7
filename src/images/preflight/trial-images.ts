import { Injectable } from '@nestjs/common';
import { abortable } from '../../base/abortable.js';
import type { TicketPermit } from '../../tickets/ticket-permit.js';
import type { Backend } from '../backends/backend.js';
import { OpenImages } from '../transfer/open-images.js';

/**
 * Opens images to look at them, and closes them again. Storage that hangs holds what is opening for as long
 * as it likes. So there is one opening for each ticket at a time, and removing the ticket waits until it is
 * closed, as for every open image.
 */
@Injectable()
export class TrialImages {
  readonly #unsettled = new Map<TicketPermit, Promise<void>>();

  constructor(private readonly images: OpenImages) {}

  /**
   * @param look at the opened image; what of it is under way when the signal aborts is given up
   * @throws what opening and `look` throw, or at once the reason of `signal`, as soon as that aborts
   */
  async look<T>(permit: TicketPermit, signal: AbortSignal, look: (image: Backend) => Promise<T>): Promise<T> {
    for (let earlier; (earlier = this.#unsettled.get(permit)) !== undefined;)
      await abortable(earlier, signal);
    // A ticket that was cancelled meanwhile would not wait for what is opened now.
    signal.throwIfAborted();
    const looking = this.#look(permit, signal, look);
    const settled = looking.then(
      () => undefined,
      () => undefined,
    );
    this.#unsettled.set(permit, settled);
    const opening = { close: () => settled };
    permit.attach(opening);
    void settled.then(() => {
      this.#unsettled.delete(permit);
      permit.detach(opening);
    });
    return abortable(looking, signal);
  }

  async #look<T>(
    permit: TicketPermit,
    signal: AbortSignal,
    look: (image: Backend) => Promise<T>,
  ): Promise<T> {
    const image = await this.images.openAnew(permit, signal);
    const abandon = (): void => {
      image.abandon();
    };
    signal.addEventListener('abort', abandon);
    try {
      signal.throwIfAborted();
      return await look(image);
    } finally {
      signal.removeEventListener('abort', abandon);
      await image.close();
    }
  }
}
