import { constants, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Clock } from '../../src/base/clock.js';
import { EngineCertificate } from '../../src/sessions/signed-tickets/engine-certificate.js';
import {
  SignedTicketVerifier,
  type SignedTicketRules,
} from '../../src/sessions/signed-tickets/signed-ticket.verifier.js';

export type Verdict = 'valid' | 'invalid';

/** A case of `vectors.json`; README.md beside it says what the fields mean. */
export interface TicketVector {
  readonly name: string;
  readonly reason: string;
  readonly version: 'v1' | 'v2' | 'dual' | null;
  readonly ticket: string;
  readonly payload: string | null;
  readonly expect: Verdict;
  readonly envelope: Verdict;
  readonly tickets: Verdict;
  readonly sessions: Verdict;
  readonly advisory: boolean;
}

export interface TicketVectors {
  readonly clock: { readonly from: string; readonly to: string; readonly fixed: string };
  readonly options: {
    readonly engine_cert_file: string;
    readonly engine_ca_cert_file: string;
    readonly verify_certificate: boolean;
    readonly allow_sha1: boolean;
    readonly allowed_skew_seconds: number;
  };
  readonly config_cases: readonly {
    readonly engine_cert_file: string;
    readonly engine_ca_cert_file: string;
    readonly reason: string;
  }[];
  readonly cases: readonly TicketVector[];
}

// Compiled tests run from `.build/test/vectors`, where the data files are not.
const folder = new URL('../../../test/vectors/', import.meta.url);

export function vectorFile(name: string): string {
  return new URL(name, folder).pathname;
}

export function readVectorFile(name: string): string {
  return readFileSync(vectorFile(name), 'utf8');
}

export const vectors = JSON.parse(readVectorFile('vectors.json')) as TicketVectors;

export function unixSeconds(date: string): number {
  return Date.parse(date) / 1000;
}

/** The time at which the tickets made here and those of the vectors are judged. */
export const fixedUnixSeconds = unixSeconds(vectors.clock.fixed);

export class FakeClock implements Clock {
  constructor(public nowUnixSeconds = fixedUnixSeconds) {}

  monotonicSeconds(): number {
    return this.nowUnixSeconds;
  }

  unixSeconds(): number {
    return this.nowUnixSeconds;
  }
}

export const vectorRules: SignedTicketRules = {
  allowSha1: vectors.options.allow_sha1,
  allowedSkewSeconds: vectors.options.allowed_skew_seconds,
  allowHttp: false,
  signedTicketBytesMax: 16 * 1024,
};

export interface VerifierSettings extends Partial<SignedTicketRules> {
  readonly engineCert?: string;
  readonly caCert?: string;
  readonly verifyCertificate?: boolean;
  readonly clock?: Clock;
}

/** A verifier with the options of the vectors, but for what is given. */
export function makeVerifier(settings: VerifierSettings = {}): SignedTicketVerifier {
  const { engineCert, caCert, verifyCertificate, clock, ...rules } = settings;
  const certificate = new EngineCertificate({
    engineCertificatePem: readVectorFile(engineCert ?? vectors.options.engine_cert_file),
    caCertificatesPem: readVectorFile(caCert ?? vectors.options.engine_ca_cert_file),
    verifyCertificate: verifyCertificate ?? vectors.options.verify_certificate,
  });
  return new SignedTicketVerifier(certificate, { ...vectorRules, ...rules }, clock ?? new FakeClock());
}

export const exampleTicketId = '7a4e1bd2-3f0c-4d59-9a55-6d1a0d9f1c01';

export const examplePayload: Readonly<Record<string, unknown>> = {
  nbf: fixedUnixSeconds - 60,
  exp: fixedUnixSeconds + 3600,
  iat: fixedUnixSeconds - 60,
  'imaged-uri': 'https://host.example.com:54322',
  'transfer-ticket': exampleTicketId,
};

export interface TicketParts {
  /** Merged into `examplePayload`; a text is taken as it is. */
  readonly payload?: Readonly<Record<string, unknown>> | string;
  readonly salt?: string;
  readonly validFrom?: string;
  readonly validTo?: string;
  readonly digest?: string;
  readonly signedFields?: string;
  readonly signatures?: 'v1' | 'v2' | 'dual';
  readonly key?: string;
  readonly saltLength?: number;
}

/** The members of a ticket that engine would sign, and its signatures. */
export function signMembers(parts: TicketParts = {}): Record<string, string> {
  const { payload = {}, signatures = 'v2' } = parts;
  const members: Record<string, string> = {
    salt: parts.salt ?? 'TMVmspRDq/0=',
    data: typeof payload === 'string' ? payload : JSON.stringify({ ...examplePayload, ...payload }),
    validFrom: parts.validFrom ?? '20200101000000',
    validTo: parts.validTo ?? '20400101000000',
  };
  if (signatures !== 'v2') members.digest = parts.digest ?? 'sha1';
  members.signedFields = parts.signedFields ?? Object.keys(members).join(',');
  const bytes = Buffer.from(
    members.signedFields
      .split(',')
      .map((name) => members[name.trim()])
      .join(''),
  );
  const key = readVectorFile(parts.key ?? 'engine.key');
  if (signatures !== 'v2') members.signature = sign('sha1', bytes, key).toString('base64');
  if (signatures !== 'v1') {
    const saltLength = parts.saltLength ?? 222;
    const options = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
    members.v2_signature = sign('sha256', bytes, options).toString('base64');
  }
  return members;
}

export function encodeTicket(members: Readonly<Record<string, unknown>>): string {
  return Buffer.from(JSON.stringify(members)).toString('base64');
}

/** A ticket as engine would make it, valid at the fixed time but for what is given. */
export function makeTicket(parts: TicketParts = {}): string {
  return encodeTicket(signMembers(parts));
}
