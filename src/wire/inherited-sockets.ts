import { closeSync } from 'node:fs';
import type { UnixAddress } from './unix-socket.js';

/** A socket that listens already, made by the service manager, which keeps it when this process ends. */
export interface InheritedSocket {
  readonly fd: number;
  /** What the service manager calls it; several sockets may have one name, and it may be empty. */
  readonly name: string;
  readonly address: UnixAddress | InheritedTcpAddress;
}

export interface InheritedTcpAddress {
  readonly kind: 'tcp';
  readonly port: number;
  readonly isLoopback: boolean;
}

/** What a listener wants to listen on. */
export interface WantedAddress {
  readonly kind: 'tcp' | UnixAddress['kind'];
  /** Of a unix socket. */
  readonly address?: string;
  /** Of TCP. */
  readonly port?: number;
}

/** The sockets that this process was started with, from which each listener takes its own. */
export class InheritedSockets {
  readonly #left: Set<InheritedSocket>;

  constructor(sockets: readonly InheritedSocket[] = []) {
    this.#left = new Set(sockets);
  }

  /**
   * The socket of a listener: the one of its name, or the one that listens where it wants to.
   * @param isLocalOnly who is not on this host may not reach it
   * @throws Error when the socket of its name is of another kind, or can be reached from other hosts
   */
  take(listener: string, wanted: WantedAddress, isLocalOnly: boolean): InheritedSocket | undefined {
    const named = [...this.#left].find(({ name }) => name === listener);
    const found = named ?? [...this.#left].find(({ address }) => isSame(address, wanted));
    if (found === undefined) return undefined;
    const { address } = found;
    if ((address.kind === 'tcp') !== (wanted.kind === 'tcp')) {
      throw new Error(
        `The socket that was passed for the ${listener} listener is ${describeInherited(found)}, but it is ` +
          `configured as ${wanted.kind === 'tcp' ? 'a TCP port' : 'a unix socket'}`,
      );
    }
    if (isLocalOnly && address.kind === 'tcp' && !address.isLoopback) {
      throw new Error(
        `The socket that was passed for the ${listener} listener, ${describeInherited(found)}, can be ` +
          'reached from other hosts',
      );
    }
    this.#left.delete(found);
    return found;
  }

  /** Closes those that no listener took. @returns where they listened, as a person would write it */
  closeRest(): readonly string[] {
    const rest = [...this.#left];
    this.#left.clear();
    for (const { fd } of rest) closeSync(fd);
    return rest.map(describeInherited);
  }
}

/** Where it listens, as a person would write it. */
export function describeInherited({ address }: InheritedSocket): string {
  return address.kind === 'tcp' ? `TCP port ${address.port}` : `unix:${address.address.replace('\0', '@')}`;
}

function isSame(address: InheritedSocket['address'], wanted: WantedAddress): boolean {
  if (address.kind !== wanted.kind) return false;
  return address.kind === 'tcp' ? address.port === wanted.port : address.address === wanted.address;
}
