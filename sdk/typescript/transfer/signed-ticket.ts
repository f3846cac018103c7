/** What a signed ticket says, as far as a client wants to know; whether it is true, the proxy finds out. */
export interface SignedTicketContent {
  /** Of the image: its path is `/images/` and this. */
  readonly ticketId: string;
  /** Milliseconds since 1970; undefined when it does not say. */
  readonly expiresAt: number | undefined;
}

/** @throws Error when the text is no signed ticket */
export function readSignedTicket(text: string): SignedTicketContent {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const { data } = JSON.parse(new TextDecoder().decode(bytes)) as { data: string };
  const { 'transfer-ticket': ticketId, exp } = JSON.parse(data) as Record<string, unknown>;
  if (typeof ticketId !== 'string' || ticketId === '') throw new Error('It does not name its ticket');
  return { ticketId, expiresAt: typeof exp === 'number' ? exp * 1000 : undefined };
}

/** Of an image at a service. */
export function imagePath(ticketId: string): string {
  return `/images/${encodeURIComponent(ticketId)}`;
}
