import { readFile } from 'node:fs/promises';
import { EngineCertificate } from './engine-certificate.js';
import {
  NoTicketVerifier,
  PlainTicketVerifier,
  SignedTicketVerifier,
  type SignedTicketRules,
} from './signed-ticket.verifier.js';
import type { TicketVerifier } from './ticket.verifier.js';
import type { Clock } from '../../base/clock.js';
import { errorMessage } from '../../base/error-details.js';

/** The options of `[proxy]` that tickets are verified by. */
export interface TicketVerifierOptions extends SignedTicketRules {
  /** PEM file, `engine_cert_file`; empty: signed tickets are not accepted. */
  readonly engineCertFile: string;
  /** PEM file, `engine_ca_cert_file`; may be empty only when certificates are not verified. */
  readonly engineCaCertFile: string;
  readonly verifyCertificate: boolean;
  readonly signedProxyTicket: boolean;
}

/**
 * Makes the verifier that the options ask for, and reads its certificates. A certificate that has
 * expired or is not the CA's does not stop the start, because the proxy still serves 2.x tickets: it is
 * one of the verifier's `warnings`.
 * @throws Error naming option, file and reason when a file is missing or has no usable certificate
 */
export async function loadTicketVerifier(
  options: TicketVerifierOptions,
  clock: Clock,
): Promise<TicketVerifier> {
  if (!options.signedProxyTicket) return new PlainTicketVerifier(options, clock);
  if (options.engineCertFile === '') return new NoTicketVerifier();
  const { engineCertFile, engineCaCertFile, verifyCertificate } = options;
  if (verifyCertificate && engineCaCertFile === '') {
    throw new Error(
      'proxy.engine_ca_cert_file: required to verify engine_cert_file, as verify_certificate is on',
    );
  }
  const engineCertificatePem = await readPem('engine_cert_file', engineCertFile);
  const caCertificatesPem = verifyCertificate ? await readPem('engine_ca_cert_file', engineCaCertFile) : '';
  return new SignedTicketVerifier(
    parseEngineCertificate(options, engineCertificatePem, caCertificatesPem),
    options,
    clock,
  );
}

function parseEngineCertificate(
  { engineCertFile, engineCaCertFile, verifyCertificate }: TicketVerifierOptions,
  engineCertificatePem: string,
  caCertificatesPem: string,
): EngineCertificate {
  try {
    return new EngineCertificate({ engineCertificatePem, caCertificatesPem, verifyCertificate });
  } catch (error) {
    const files = verifyCertificate ? `${engineCertFile}, ${engineCaCertFile}` : engineCertFile;
    throw new Error(`proxy certificates (${files}): ${errorMessage(error)}`, { cause: error });
  }
}

async function readPem(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Error(`proxy.${option}: cannot read ${file}: ${errorMessage(error)}`, { cause: error });
  }
}
