import { imagePath, readSignedTicket } from '#sdk/transfer/signed-ticket';

/** By what a transfer is allowed: a signed ticket, or the address of an image, which has its ticket. */
export type Access =
  | {
      readonly kind: 'signed';
      /** `/images/` and the id of the ticket. */
      readonly path: string;
      readonly ticket: string;
      /** Milliseconds since 1970; undefined when the ticket does not say. */
      readonly expiresAt: number | undefined;
    }
  | { readonly kind: 'url'; readonly path: string };

/** What was given is nothing that allows a transfer here. */
export class AccessError extends Error {
  constructor(
    readonly code: 'not-a-ticket' | 'other-service',
    /** Where the other service is. */
    readonly origin = '',
    options?: ErrorOptions,
  ) {
    super(code, options);
    this.name = 'AccessError';
  }
}

/**
 * What a person has pasted: a signed ticket, the address of an image, or a link to this page.
 * @param origin of this page: it talks to no other service
 * @throws AccessError
 */
export function accessOf(text: string, origin: string): Access {
  const trimmed = text.trim();
  return /^https?:/i.test(trimmed) ? accessOfUrl(trimmed, origin) : accessOfTicket(trimmed);
}

/**
 * What a link to this page carries after its `#`, which browsers do not send: `ticket=` a signed ticket, or
 * `url=` the address of an image.
 * @returns undefined when it carries nothing
 * @throws AccessError
 */
export function accessInFragment(fragment: string, origin: string): Access | undefined {
  const [, name, value = ''] = /^#(ticket|url)=(.*)$/s.exec(fragment) ?? [];
  if (name === undefined) return undefined;
  const text = unescaped(value);
  return name === 'ticket' ? accessOfTicket(text) : accessOfUrl(text, origin);
}

function accessOfTicket(text: string): Access {
  // Mail programs break long lines.
  const ticket = text.replace(/\s/g, '');
  try {
    const { ticketId, expiresAt } = readSignedTicket(ticket);
    return { kind: 'signed', path: imagePath(ticketId), ticket, expiresAt };
  } catch (error: unknown) {
    throw new AccessError('not-a-ticket', '', { cause: error });
  }
}

function accessOfUrl(text: string, origin: string): Access {
  if (!URL.canParse(text)) throw new AccessError('not-a-ticket');
  const url = new URL(text);
  if (url.origin !== origin) throw new AccessError('other-service', url.origin);
  const carried = accessInFragment(url.hash, origin);
  if (carried !== undefined) return carried;
  if (!/^\/images\/[^/]+$/.test(url.pathname)) throw new AccessError('not-a-ticket');
  return { kind: 'url', path: url.pathname };
}

/** Base64 has a plus, which is no space here. */
function unescaped(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
