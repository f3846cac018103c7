import { constants, randomBytes, sign } from 'node:crypto';

export interface SigningRequest {
  readonly ticketId: string;
  /** Scheme, host and port of the daemon. */
  readonly imagedUri: string;
  readonly keyPem: string;
  readonly certPem: string;
  readonly lifetimeSeconds: number;
  readonly now: Date;
}

/**
 * A signed ticket as engines since 2021 make it (docs/protocol.md, "Signed tickets"): base64 on one line.
 */
export function signTicket(request: SigningRequest): string {
  const { ticketId, imagedUri, keyPem, certPem, lifetimeSeconds, now } = request;
  const nowSeconds = Math.floor(now.getTime() / 1000);
  const fields = {
    salt: randomBytes(8).toString('base64'),
    data: JSON.stringify({
      nbf: nowSeconds,
      iat: nowSeconds,
      exp: nowSeconds + lifetimeSeconds,
      'imaged-uri': imagedUri,
      'transfer-ticket': ticketId,
    }),
    validFrom: compactDate(now),
    validTo: compactDate(new Date(now.getTime() + lifetimeSeconds * 1000)),
  };
  const signature = sign('sha256', Buffer.from(Object.values(fields).join('')), {
    key: keyPem,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN,
  });
  const ticket = {
    ...fields,
    signedFields: Object.keys(fields).join(','),
    certificate: certPem,
    v2_signature: signature.toString('base64'),
  };
  return Buffer.from(JSON.stringify(ticket)).toString('base64');
}

/** `yyyyMMddHHmmss` in UTC. */
function compactDate(date: Date): string {
  return date.toISOString().replaceAll(/\D/g, '').slice(0, 14);
}
