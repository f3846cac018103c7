/** How much memory relayed bodies may take. */
export interface BufferShareLimits {
  /** All of them together (`relay_buffer_bytes`). */
  readonly totalBytes: number;
  /** Those of one ticket (`relay_buffer_bytes_per_ticket`). */
  readonly perTicketBytes: number;
}

/**
 * Who holds how much of the memory for relayed bodies. One ticket may hold what its limit says, and no more
 * than it leaves free: however many tickets hold as much as they can, the next one finds room.
 */
export class BufferShares {
  readonly #heldBytes = new Map<string, number>();
  #freeBytes: number;

  constructor(private readonly limits: BufferShareLimits) {
    this.#freeBytes = limits.totalBytes;
  }

  get inUseBytes(): number {
    return this.limits.totalBytes - this.#freeBytes;
  }

  held(ticket: string): number {
    return this.#heldBytes.get(ticket) ?? 0;
  }

  /**
   * Whether `ticket` may take that much more.
   * @param part of its limit that it may hold for it
   */
  allows(ticket: string, lengthBytes: number, part = 1): boolean {
    const thenBytes = this.held(ticket) + lengthBytes;
    return thenBytes <= part * this.limits.perTicketBytes && thenBytes <= this.#freeBytes;
  }

  take(ticket: string, lengthBytes: number): void {
    this.#freeBytes -= lengthBytes;
    this.#heldBytes.set(ticket, this.held(ticket) + lengthBytes);
  }

  give(ticket: string, lengthBytes: number): void {
    this.#freeBytes += lengthBytes;
    const leftBytes = this.held(ticket) - lengthBytes;
    if (leftBytes > 0) this.#heldBytes.set(ticket, leftBytes);
    else this.#heldBytes.delete(ticket);
  }
}
