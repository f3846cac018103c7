import { parseJsonMembers } from '../signed-tickets/strict-json.js';
import {
  type PayloadRules,
  readImagedUri,
  readTime,
  readTransferId,
  readTransferTicketId,
  type Grant,
} from '../grant.js';

/** Much more than a grant with the longest host name and transfer id has. */
const charactersMax = 4096;
const fingerprintForm = /^[0-9a-f]{64}$/;

/** A grant as text, for a store outside of the process. */
export function formatGrant(grant: Grant): string {
  return JSON.stringify({ ...grant, imagedUri: grant.imagedUri.href });
}

/**
 * The grant again. What is outside of the process may be somebody else's, so it is judged like the payload
 * of a signed ticket: a grant that leads to anything but a daemon over TLS is none.
 * @returns undefined for what `formatGrant` cannot have written
 */
export function parseGrant(text: string, { allowHttp }: Pick<PayloadRules, 'allowHttp'>): Grant | undefined {
  if (text.length > charactersMax) return undefined;
  try {
    const stored = parseJsonMembers(text);
    const transferId = readTransferId(stored.get('transferId'));
    const expiresUnixSeconds = readTime('exp', stored.get('expiresUnixSeconds'));
    const endsUnixSeconds = readTime('ends', stored.get('endsUnixSeconds'));
    const fingerprint = stored.get('fingerprint');
    if (typeof fingerprint !== 'string' || !fingerprintForm.test(fingerprint)) return undefined;
    if (endsUnixSeconds < expiresUnixSeconds) return undefined;
    return {
      transferTicketId: readTransferTicketId(stored.get('transferTicketId')),
      imagedUri: readImagedUri(stored.get('imagedUri'), allowHttp),
      notBeforeUnixSeconds: readTime('nbf', stored.get('notBeforeUnixSeconds')),
      issuedAtUnixSeconds: readTime('iat', stored.get('issuedAtUnixSeconds')),
      expiresUnixSeconds,
      endsUnixSeconds,
      ...(transferId === undefined ? {} : { transferId }),
      fingerprint,
    };
  } catch {
    return undefined;
  }
}
