import { transferIdCharactersMax } from '../contract/schemas.js';
import { parseJsonMembers } from './signed-tickets/strict-json.js';
import { UnauthenticatedError } from '../base/errors.js';
import { nameOfUnnamedTransfer } from '../base/transfer-name.js';

/**
 * What a signed ticket grants, once it was verified: relaying requests for one ticket
 * to the daemon that has it.
 */
export interface Grant {
  /** The ticket's id on the daemon, a UUID. It is a secret: never logged. */
  readonly transferTicketId: string;
  /** Scheme, host and port of the daemon; no path, query or credentials. */
  readonly imagedUri: URL;
  /** The payload's `nbf`. */
  readonly notBeforeUnixSeconds: number;
  /** The payload's `iat`. */
  readonly issuedAtUnixSeconds: number;
  /** The payload's `exp`: what clients are told. */
  readonly expiresUnixSeconds: number;
  /** When this host's clock reaches it, the grant is over: `exp` and the clock skew that is allowed. */
  readonly endsUnixSeconds: number;
  /** What logs call the transfer; engines before 2018 do not tell. */
  readonly transferId?: string;
  /** SHA-256 of the ticket as it was sent, in hex: tells whether two requests showed the same ticket. */
  readonly fingerprint: string;
}

/** What logs call the transfer: the same as the daemon does, if the engine named it to both or to neither. */
export function transferName({ transferId, transferTicketId }: Grant): string {
  return transferId ?? nameOfUnnamedTransfer(transferTicketId);
}

export interface PayloadRules {
  /** How far the engine's clock may be off, in seconds; widens `nbf` and `exp` alike. */
  readonly allowedSkewSeconds: number;
  /** Accept `http://` daemons: only where TLS is off altogether. */
  readonly allowHttp: boolean;
}

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
// Checked before `new URL`, which drops tabs and line ends and reads `\` as `/`:
// nothing may be there to be dropped.
const daemonUriForm = /^https?:\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?\/?$/i;
/** A host name has at most 253 characters; scheme and port make it 267. */
const imagedUriCharactersMax = 300;
/** The end of year 9999, the last second that a date can be written for. */
const unixSecondsMax = 253_402_300_799;

/**
 * Reads and judges the payload of a ticket, the JSON text in its `data` (docs/protocol.md, "Transfer
 * payload").
 * @param fingerprint identifies the whole ticket
 * @throws UnauthenticatedError with what is wrong
 */
export function readGrant(
  data: string,
  fingerprint: string,
  nowUnixSeconds: number,
  rules: PayloadRules,
): Grant {
  const payload = parsePayload(data);
  const notBeforeUnixSeconds = readTime('nbf', payload.get('nbf'));
  const expiresUnixSeconds = readTime('exp', payload.get('exp'));
  const issuedAtUnixSeconds = readTime('iat', payload.get('iat'));
  const imagedUri = readImagedUri(payload.get('imaged-uri'), rules.allowHttp);
  const transferTicketId = readTransferTicketId(payload.get('transfer-ticket'));
  // Engine's JSON writer may spell an unknown id as null.
  const transferId = readTransferId(payload.get('transfer-id') ?? undefined);
  if (notBeforeUnixSeconds > nowUnixSeconds + rules.allowedSkewSeconds) throw refusal('nbf is in the future');
  const endsUnixSeconds = expiresUnixSeconds + rules.allowedSkewSeconds;
  if (endsUnixSeconds <= nowUnixSeconds) throw refusal('exp has passed');
  return {
    transferTicketId,
    imagedUri,
    notBeforeUnixSeconds,
    issuedAtUnixSeconds,
    expiresUnixSeconds,
    endsUnixSeconds,
    ...(transferId === undefined ? {} : { transferId }),
    fingerprint,
  };
}

function parsePayload(data: string): Map<string, unknown> {
  try {
    return parseJsonMembers(data);
  } catch (error) {
    throw refusal('data is not a valid JSON object', { cause: error });
  }
}

/** @throws UnauthenticatedError, as the other readers of single values do */
export function readTime(key: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > unixSecondsMax) {
    throw refusal(`${key} must be an integer of Unix seconds`);
  }
  return value;
}

export function readTransferTicketId(value: unknown): string {
  if (typeof value !== 'string' || !uuidForm.test(value)) throw refusal('transfer-ticket must be a UUID');
  return value;
}

export function readImagedUri(value: unknown, allowHttp: boolean): URL {
  if (typeof value === 'string' && value.length > imagedUriCharactersMax)
    throw refusal(`imaged-uri must have at most ${imagedUriCharactersMax} characters`);
  const uri = typeof value === 'string' && daemonUriForm.test(value) ? URL.parse(value) : null;
  if (!uri) throw refusal('imaged-uri must be https://host:port and nothing more');
  if (uri.protocol !== 'https:' && !allowHttp) throw refusal('imaged-uri must be an https uri');
  return uri;
}

export function readTransferId(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '' || value.length > transferIdCharactersMax) {
    throw refusal(`transfer-id must be a text of at most ${transferIdCharactersMax} characters`);
  }
  return value;
}

function refusal(reason: string, options?: ErrorOptions): UnauthenticatedError {
  return new UnauthenticatedError(`Transfer payload: ${reason}`, options);
}
