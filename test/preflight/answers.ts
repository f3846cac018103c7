import type { components } from '../../sdk/typescript/src/generated/daemon.js';
import type { ImageTicket } from '../e2e/daemon-under-test.js';
import type { Wire } from '../e2e/wire-under-test.js';

export type Preflight = components['schemas']['Preflight'];

/** What the service finds about the image, asked at the end of its path with `query`. */
export async function preflightOf(wire: Wire, { path }: ImageTicket, query = ''): Promise<Preflight> {
  const answer = await wire.client().request('GET', `${path}/preflight${query}`);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return JSON.parse(answer.text) as Preflight;
}

/** Codes with their severities, such as `error no_space`. */
export function found({ findings }: Preflight): readonly string[] {
  return findings.map(({ code, severity }) => `${severity} ${code}`);
}

/** Codes of what makes the transfer fail. */
export function errorsOf(preflight: Preflight): readonly string[] {
  return preflight.findings.filter(({ severity }) => severity === 'error').map(({ code }) => code);
}
