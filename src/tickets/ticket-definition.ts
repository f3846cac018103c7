export type TicketAccess = 'read' | 'write';

/** A ticket as it was asked for (docs/protocol.md, "Adding a ticket"). */
export interface TicketDefinition {
  readonly id: string;
  /** Bytes the client may touch. Up to 2^64, which no `number` holds; see `TicketPermit.sizeBytes`. */
  readonly size: bigint;
  readonly ops: readonly TicketAccess[];
  readonly timeoutSeconds: number;
  readonly inactivityTimeoutSeconds: number;
  readonly url: string;
  /** What logs call the transfer; never the id, which is the secret. */
  readonly transferId: string;
  readonly filename?: string;
  readonly sparse: boolean;
  readonly dirty: boolean;
}
