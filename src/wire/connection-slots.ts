import { networkOf } from './client-network.js';

export interface ConnectionSlotsOptions {
  readonly connectionsMax: number;
  /** Of those that have shown no valid ticket, for one client address. */
  readonly strangersPerNetworkMax: number;
}

/** What a slot is for: a socket. */
export interface SlotHolder {
  /** Undefined for unix sockets, whose clients are of this host. */
  readonly remoteAddress?: string | undefined;
  destroy(): void;
}

/**
 * Who may be connected to a listener. A connection that has shown a valid ticket keeps its slot. Others,
 * strangers, make room for newer ones, the oldest first: when all slots are taken, or when there are too many
 * of one address. So connections that do nothing lock nobody out, and many connections from one address do
 * not push out those from others.
 */
export class ConnectionSlots<Holder extends SlotHolder> {
  /**
   * The network of each connection; undefined for those with a ticket, which do not count against its limit.
   */
  readonly #networks = new Map<Holder, string | undefined>();
  /** In the order in which they came. */
  readonly #strangers = new Set<Holder>();
  readonly #strangersOf = new Map<string, Set<Holder>>();
  readonly #strangersPerNetworkMax: number;

  constructor(private readonly options: ConnectionSlotsOptions) {
    const { connectionsMax, strangersPerNetworkMax } = options;
    // Where few connections are allowed, one address has half of them at most.
    this.#strangersPerNetworkMax = Math.min(strangersPerNetworkMax, Math.ceil(connectionsMax / 2));
  }

  /** Those that have a slot. */
  get holders(): Iterable<Holder> {
    return this.#networks.keys();
  }

  /** How many slots are taken. */
  get taken(): number {
    return this.#networks.size;
  }

  /**
   * Gives a slot to a connection that was just accepted; others may be destroyed for it.
   * @returns false when those that have shown a ticket have all the slots
   */
  take(holder: Holder): boolean {
    const network = holder.remoteAddress === undefined ? undefined : networkOf(holder.remoteAddress);
    const neighbours = network === undefined ? undefined : this.#strangersOf.get(network);
    if (neighbours !== undefined && neighbours.size >= this.#strangersPerNetworkMax) this.#evict(neighbours);
    if (this.taken >= this.options.connectionsMax && !this.#evict(this.#strangers)) return false;
    this.#networks.set(holder, network);
    this.#strangers.add(holder);
    if (network !== undefined) this.#ofNetwork(network).add(holder);
    return true;
  }

  /** Somebody else has the connection from now on, which has shown no ticket yet. */
  replace(holder: Holder, successor: Holder): void {
    const network = this.#networks.get(holder);
    this.release(holder);
    this.#networks.set(successor, network);
    this.#strangers.add(successor);
    if (network !== undefined) this.#ofNetwork(network).add(successor);
  }

  /** The connection has shown a valid ticket. */
  keep(holder: Holder): void {
    if (!this.#strangers.delete(holder)) return;
    this.#leaveNetwork(holder);
    this.#networks.set(holder, undefined);
  }

  /** The connection is closed. */
  release(holder: Holder): void {
    this.#strangers.delete(holder);
    this.#leaveNetwork(holder);
    this.#networks.delete(holder);
  }

  #evict(from: ReadonlySet<Holder>): boolean {
    for (const oldest of from) {
      this.release(oldest);
      oldest.destroy();
      return true;
    }
    return false;
  }

  #ofNetwork(network: string): Set<Holder> {
    const known = this.#strangersOf.get(network);
    if (known !== undefined) return known;
    const strangers = new Set<Holder>();
    this.#strangersOf.set(network, strangers);
    return strangers;
  }

  #leaveNetwork(holder: Holder): void {
    const network = this.#networks.get(holder);
    if (network === undefined) return;
    const strangers = this.#strangersOf.get(network);
    strangers?.delete(holder);
    if (strangers?.size === 0) this.#strangersOf.delete(network);
  }
}
