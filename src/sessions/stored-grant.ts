import type { TransferGrant } from './transfer-grant.js';

/** A grant as text, for a store outside of the process. */
export function formatGrant(grant: TransferGrant): string {
  return JSON.stringify({ ...grant, imagedUri: grant.imagedUri.href });
}

/** The grant again; undefined for text that `formatGrant` did not write. */
export function parseGrant(text: string): TransferGrant | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isStoredGrant(value) ? { ...value, imagedUri: new URL(value.imagedUri) } : undefined;
}

type StoredGrant = Omit<TransferGrant, 'imagedUri'> & { readonly imagedUri: string };

const texts = ['transferTicketId', 'imagedUri', 'fingerprint'];
const times = ['notBeforeUnixSeconds', 'issuedAtUnixSeconds', 'expiresUnixSeconds', 'endsUnixSeconds'];

function isStoredGrant(value: unknown): value is StoredGrant {
  if (typeof value !== 'object' || value === null) return false;
  const members = new Map<string, unknown>(Object.entries(value));
  const transferId = members.get('transferId');
  return (
    texts.every((name) => typeof members.get(name) === 'string') &&
    times.every((name) => typeof members.get(name) === 'number') &&
    (transferId === undefined || typeof transferId === 'string') &&
    URL.canParse(String(members.get('imagedUri')))
  );
}
