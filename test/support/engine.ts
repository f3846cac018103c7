import { constants, randomBytes, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Identity } from './pki.js';

/** What a signed ticket promises, in the engine's wire names (docs/protocol.md, "Transfer payload"). */
export interface TransferPayload {
  readonly 'transfer-ticket': string;
  readonly 'imaged-uri': string;
  readonly 'transfer-id'?: string;
  /** Unix seconds. */
  readonly nbf: number;
  readonly exp: number;
  readonly iat: number;
}

export interface SigningOptions {
  /** v2: RSASSA-PSS; v1: PKCS#1 v1.5 over SHA-1; dual: both over the same fields. Default v2. */
  readonly version?: 'v1' | 'v2' | 'dual';
  readonly validFrom?: Date;
  readonly validTo?: Date;
  /** The signed fields in order, when a test wants other ones than the engine's. */
  readonly signedFields?: readonly string[];
}

export interface TransferTicket {
  readonly ticketId: string;
  /** Where the daemon is, e.g. `https://localhost:54322`. */
  readonly imagedUri: string;
  readonly transferId?: string;
  /** From now; negative makes a ticket that is expired already. Default one hour. */
  readonly lifetimeSeconds?: number;
}

/** Plays the part of the engine that hands signed tickets to clients. */
export class Engine {
  constructor(private readonly identity: Pick<Identity, 'certPem' | 'keyPem'>) {}

  static fromFiles(certFile: string, keyFile: string): Engine {
    return new Engine({ certPem: readFileSync(certFile, 'utf8'), keyPem: readFileSync(keyFile, 'utf8') });
  }

  /** The signed ticket for one transfer: what a client sends in `Authorization`. */
  signTransfer(ticket: TransferTicket, options: SigningOptions = {}): string {
    const now = Math.floor(Date.now() / 1000);
    const payload: TransferPayload = {
      nbf: now,
      exp: now + (ticket.lifetimeSeconds ?? 3600),
      iat: now,
      'transfer-ticket': ticket.ticketId,
      'imaged-uri': ticket.imagedUri,
      ...(ticket.transferId === undefined ? {} : { 'transfer-id': ticket.transferId }),
    };
    return this.sign(JSON.stringify(payload, null, 2), options);
  }

  /** Signs any text as `data`, whether or not it makes sense. */
  sign(data: string, options: SigningOptions = {}): string {
    const version = options.version ?? 'v2';
    const values: Record<string, string> = {
      salt: randomBytes(8).toString('base64'),
      data,
      // The digest is a signed field of its own wherever a v1 signature is.
      ...(version === 'v2' ? {} : { digest: 'sha1' }),
      validFrom: compactDate(options.validFrom ?? new Date(Date.now() - 60_000)),
      validTo: compactDate(options.validTo ?? new Date(Date.now() + 86_400_000)),
    };
    const signedFields = options.signedFields ?? Object.keys(values);
    const message = Buffer.from(signedFields.map((field) => values[field] ?? '').join(''), 'utf8');
    return encode({
      ...values,
      signedFields: signedFields.join(','),
      certificate: engineStylePem(this.identity.certPem),
      ...(version === 'v2' ? {} : { signature: this.signPkcs1(message) }),
      ...(version === 'v1' ? {} : { v2_signature: this.signPss(message) }),
    });
  }

  private signPss(message: Buffer): string {
    const key = {
      key: this.identity.keyPem,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN,
    };
    return sign('sha256', message, key).toString('base64');
  }

  private signPkcs1(message: Buffer): string {
    const key = { key: this.identity.keyPem, padding: constants.RSA_PKCS1_PADDING };
    return sign('sha1', message, key).toString('base64');
  }
}

/** The object of a signed ticket, for tests that look into one or break one. */
export function decode(ticket: string): Record<string, string> {
  return JSON.parse(Buffer.from(ticket, 'base64').toString('utf8')) as Record<string, string>;
}

/** Makes a ticket of an object: with `decode`, how a ticket is tampered with. */
export function encode(envelope: Record<string, string>): string {
  return Buffer.from(JSON.stringify(envelope), 'utf8').toString('base64');
}

/** `yyyyMMddHHmmss` in UTC. */
function compactDate(date: Date): string {
  return date.toISOString().replace(/\D/g, '').slice(0, 14);
}

/**
 * Java's MIME encoder breaks lines after 76 characters with CRLF, and so does every
 * engine's embedded certificate.
 */
function engineStylePem(certPem: string): string {
  const base64 = certPem.replace(/-----[^-]+-----|\s/g, '');
  const lines = base64.match(/.{1,76}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\r\n')}\r\n-----END CERTIFICATE-----\n`;
}
