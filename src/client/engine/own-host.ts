import { readFile } from 'node:fs/promises';
import { errorCode } from '../../base/error-details.js';
import type { EngineApi } from './engine-api.js';

/** Where vdsm keeps the hardware id of its host. */
const hardwareIdFile = '/etc/vdsm/vdsm.id';

/**
 * The host that this program runs on, which then has the transfer: data does not leave it.
 * @param storageDomain its name; asked for only on a host
 * @returns undefined when this is none of the engine's hosts, or it cannot open disks of the storage domain
 */
export async function ownHost(
  api: EngineApi,
  storageDomain: () => Promise<string | undefined>,
  signal: AbortSignal,
  file = hardwareIdFile,
): Promise<string | undefined> {
  const hardwareId = await hardwareIdOf(file);
  if (hardwareId === undefined) return undefined;
  const domain = await storageDomain();
  return domain === undefined ? undefined : api.hostWith(hardwareId, domain, signal);
}

async function hardwareIdOf(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error: unknown) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
