import { parseJsonMembers } from './strict-json.js';
import { parseTicketDate } from './ticket-date.js';
import { UnauthenticatedError } from '../../base/errors.js';

/** `v2`: RSASSA-PSS with SHA-256. `v1`: PKCS#1 v1.5 with SHA-1. No other algorithm can be asked for. */
export type SignatureVersion = 'v1' | 'v2';

/** A signed ticket taken apart: well formed, and nothing of it trusted yet. */
export interface SignedTicketEnvelope {
  /** The JSON text of the payload. */
  readonly data: string;
  /** What was signed: the values of the signed fields, joined without separators, in UTF-8. */
  readonly signedBytes: Uint8Array;
  /**
   * The signature that decides: v2 wherever there is one, so that a wrong one is never excused by a v1 one.
   */
  readonly signature: { readonly version: SignatureVersion; readonly bytes: Uint8Array };
  readonly validFromUnixSeconds: number;
  readonly validToUnixSeconds: number;
}

const alwaysSigned = ['data', 'salt', 'validFrom', 'validTo'];
/**
 * Names of `digest` in tickets with both signatures. A v1 signature alone is judged as
 * SHA-1 and must say so.
 */
const digestNames = ['sha1', 'sha256', 'sha384', 'sha512'];

/**
 * Takes a signed ticket apart: base64 on one line, of a JSON object of strings (docs/protocol.md,
 * "Signed tickets").
 * The embedded `certificate` is not even read: the one that counts is configured.
 * @throws UnauthenticatedError with what is wrong; it never quotes the ticket
 */
export function decodeSignedTicket(ticket: string): SignedTicketEnvelope {
  const members = parseEnvelope(decodeUtf8(decodeBase64('ticket', ticket)));
  const version = members.has('v2_signature') ? 'v2' : 'v1';
  const digestSigned = members.has('signature');
  const signatureText = version === 'v2' ? requireMember(members, 'v2_signature') : members.get('signature');
  if (signatureText === undefined) throw refusal('no signature');
  const names = readSignedFields(requireMember(members, 'signedFields'), digestSigned);
  if (digestSigned) checkDigest(requireMember(members, 'digest'), version);
  return {
    data: requireMember(members, 'data'),
    signedBytes: Buffer.from(names.map((name) => requireMember(members, name)).join(''), 'utf8'),
    signature: { version, bytes: decodeBase64('signature', signatureText) },
    validFromUnixSeconds: readDate(members, 'validFrom'),
    validToUnixSeconds: readDate(members, 'validTo'),
  };
}

function decodeBase64(what: string, text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  // Node skips what is not base64, and the last character may have spare bits: only the
  // one canonical spelling is taken.
  if (bytes.length === 0 || bytes.toString('base64') !== text) throw refusal(`${what} is not base64`);
  return bytes;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    // A byte order mark is kept, for the JSON parser to refuse.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw refusal('not UTF-8', { cause: error });
  }
}

function parseEnvelope(json: string): Map<string, string> {
  const members = new Map<string, string>();
  for (const [name, value] of parseMembers(json)) {
    if (typeof value !== 'string') throw refusal('a value is not a string');
    members.set(name, value);
  }
  return members;
}

function parseMembers(json: string): Map<string, unknown> {
  try {
    return parseJsonMembers(json);
  } catch (error) {
    throw refusal('not a valid JSON object', { cause: error });
  }
}

/**
 * The names, in the order signed. They must be exactly the known ones, each once: values are joined without
 * separators, so with a field of a free name an expired ticket could be cut anew into one with other dates.
 */
function readSignedFields(text: string, digestSigned: boolean): string[] {
  const names = text.split(',').map((name) => name.trim());
  const expected = digestSigned ? [...alwaysSigned, 'digest'] : alwaysSigned;
  if (names.toSorted().join() !== expected.toSorted().join()) {
    throw refusal(`signed fields must be ${expected.join(', ')}, each once`);
  }
  return names;
}

function checkDigest(digest: string, version: SignatureVersion): void {
  // Of a v2 ticket the digest decides nothing, but a free text among the signed values
  // would allow the cutting above.
  const known = version === 'v1' ? ['sha1'] : digestNames;
  if (!known.includes(digest)) throw refusal('unknown digest');
}

function readDate(members: Map<string, string>, name: string): number {
  const seconds = parseTicketDate(requireMember(members, name));
  if (seconds === undefined) throw refusal(`${name} is not a date of the form yyyyMMddHHmmss`);
  return seconds;
}

function requireMember(members: Map<string, string>, name: string): string {
  const value = members.get(name);
  if (value === undefined) throw refusal(`no ${name}`);
  return value;
}

function refusal(reason: string, options?: ErrorOptions): UnauthenticatedError {
  return new UnauthenticatedError(`Signed ticket: ${reason}`, options);
}
