/**
 * What logs call a transfer that has no name of its own. Half of the id is enough to find a transfer in the
 * log and too little to use it.
 */
export function nameOfUnnamedTransfer(ticketId: string): string {
  return `(ticket/${ticketId.slice(0, Math.min(18, Math.floor(ticketId.length / 2)))}…)`;
}
