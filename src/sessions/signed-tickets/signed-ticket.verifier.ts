import { constants, createHash, verify } from 'node:crypto';
import type { EngineCertificate } from './engine-certificate.js';
import {
  decodeSignedTicket,
  type SignatureVersion,
  type SignedTicketEnvelope,
} from './signed-ticket.decoder.js';
import type { TicketVerifier } from './ticket.verifier.js';
import { type PayloadRules, readGrant, type Grant } from '../grant.js';
import type { Clock } from '../../base/clock.js';
import { UnauthenticatedError } from '../../base/errors.js';

export interface TicketRules extends PayloadRules {
  /** Longer tickets are refused unread. */
  readonly signedTicketBytesMax: number;
}

export interface SignedTicketRules extends TicketRules {
  /** Accept v1 signatures, made with SHA-1. */
  readonly allowSha1: boolean;
}

const sha256Bytes = 32;

/** Verifies tickets that engine signed (docs/protocol.md, "Signed tickets"). */
export class SignedTicketVerifier implements TicketVerifier {
  constructor(
    private readonly certificate: EngineCertificate,
    private readonly rules: SignedTicketRules,
    private readonly clock: Clock,
  ) {}

  get warnings(): readonly string[] {
    const problem = this.certificate.problem(this.clock.unixSeconds());
    return problem === undefined ? [] : [`Every signed ticket will be refused: ${problem}`];
  }

  verify(ticket: string): Grant {
    const nowUnixSeconds = this.clock.unixSeconds();
    checkLength(ticket, this.rules);
    const problem = this.certificate.problem(nowUnixSeconds);
    if (problem !== undefined) throw new UnauthenticatedError(`Signed ticket: ${problem}`);
    const envelope = decodeSignedTicket(ticket);
    this.#checkSignature(envelope);
    checkLifetime(envelope, nowUnixSeconds);
    return readGrant(envelope.data, fingerprint(ticket), nowUnixSeconds, this.rules);
  }

  #checkSignature({ signature, signedBytes }: SignedTicketEnvelope): void {
    if (signature.version === 'v1' && !this.rules.allowSha1) {
      throw new UnauthenticatedError('Signed ticket: v1 signatures (SHA-1) are not allowed');
    }
    let signed: boolean;
    try {
      signed = this.#isSigned(signature.version, signedBytes, signature.bytes);
    } catch (error) {
      // Crypto policies of the host, FIPS among them, may forbid an algorithm.
      throw new UnauthenticatedError('Signed ticket: signature cannot be verified on this host', {
        cause: error,
      });
    }
    if (!signed) throw new UnauthenticatedError('Signed ticket: wrong signature');
  }

  #isSigned(version: SignatureVersion, signedBytes: Uint8Array, signature: Uint8Array): boolean {
    const { publicKey, keyBits } = this.certificate;
    if (version === 'v1') {
      return verify('sha1', signedBytes, { key: publicKey, padding: constants.RSA_PKCS1_PADDING }, signature);
    }
    return verify(
      'sha256',
      signedBytes,
      { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: maximumSaltBytes(keyBits) },
      signature,
    );
  }
}

/**
 * For debugging without an engine (`signed_proxy_ticket = false`): the ticket is the payload
 * itself, and anyone can write one.
 */
export class PlainTicketVerifier implements TicketVerifier {
  readonly warnings = [
    'signed_proxy_ticket is off: tickets are NOT verified, whoever reaches this proxy can make requests to ' +
      'any host from it',
  ];

  constructor(
    private readonly rules: TicketRules,
    private readonly clock: Clock,
  ) {}

  verify(ticket: string): Grant {
    checkLength(ticket, this.rules);
    return readGrant(ticket, fingerprint(ticket), this.clock.unixSeconds(), this.rules);
  }
}

/** For a proxy that serves 2.x clients only, without a certificate of the engine. */
export class NoTicketVerifier implements TicketVerifier {
  readonly warnings = [];

  verify(): Grant {
    throw new UnauthenticatedError(
      'Signed tickets are not accepted here: no engine certificate is configured',
    );
  }
}

/**
 * The longest salt that fits a key (RFC 8017, 9.1.1). Engines sign with exactly it, so a
 * signature with another is foreign.
 */
function maximumSaltBytes(keyBits: number): number {
  return Math.ceil((keyBits - 1) / 8) - sha256Bytes - 2;
}

function checkLength(ticket: string, rules: TicketRules): void {
  if (Buffer.byteLength(ticket) > rules.signedTicketBytesMax) {
    throw new UnauthenticatedError(
      `Signed ticket: longer than the limit of ${rules.signedTicketBytesMax} bytes`,
    );
  }
}

function checkLifetime(envelope: SignedTicketEnvelope, nowUnixSeconds: number): void {
  if (nowUnixSeconds < envelope.validFromUnixSeconds)
    throw new UnauthenticatedError('Signed ticket: not yet valid');
  if (nowUnixSeconds > envelope.validToUnixSeconds)
    throw new UnauthenticatedError('Signed ticket: has expired');
}

function fingerprint(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex');
}
