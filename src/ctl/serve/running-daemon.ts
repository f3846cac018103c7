import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { errorCode } from '../../base/error-details.js';
import type { Config } from '../../config/config.js';
import { CommandError } from '../command-error.js';
import { controlEndpoint } from '../control-endpoint.js';
import { urlOf, type ServingDaemon } from './serving-daemon.js';

/**
 * The daemon of this host, as its configuration says.
 * @param host by which clients reach it; undefined for the first name in its certificate
 * @returns undefined when none runs
 * @throws CommandError when it runs and nobody could reach its images
 */
export async function findRunningDaemon(
  config: Config,
  host: string | undefined,
): Promise<ServingDaemon | undefined> {
  const control = controlEndpoint(config);
  const { socketPath } = control;
  if (socketPath !== undefined && !(await isListening(socketPath))) return undefined;
  const { remote, tls } = config;
  if (remote.port <= 0)
    throw new CommandError('[remote] port of the running daemon is any free one: nobody would find it');
  const scheme = tls.enable ? 'https' : 'http';
  const name = host ?? (tls.enable ? await certifiedName(tls.certFile) : hostname());
  return {
    control,
    imagesUrl: urlOf(scheme, name, remote.port),
    cafile: tls.enable && tls.caFile !== '' ? tls.caFile : undefined,
    userId: socketPath === undefined ? (process.geteuid?.() ?? 0) : (await stat(socketPath)).uid,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function isListening(socketPath: string): Promise<boolean> {
  const socket = connect(socketPath);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error: unknown) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return false;
    throw error;
  } finally {
    socket.destroy();
  }
}

/** The name that clients verify: of a certificate with several, the first. */
async function certifiedName(certFile: string): Promise<string> {
  const { subjectAltName = '' } = new X509Certificate(await readFile(certFile));
  return /(?:DNS|IP Address):([^,]+)/.exec(subjectAltName)?.[1] ?? hostname();
}
