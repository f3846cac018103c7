import { ConfigError } from '../config/config-error.js';
import { listeningAddressOf, setKeptAtExec } from '../native/listening-sockets.js';
import type { InheritedSocket } from '../wire/inherited-sockets.js';

/** SD_LISTEN_FDS_START of sd_listen_fds(3). */
const firstDescriptor = 3;
/** More than any unit passes: bounds what a wrong number costs. */
const descriptorsMax = 64;

/**
 * The listening sockets that a service manager has made and passed (sd_listen_fds(3)); none when it passed
 * them to another process, or none at all. They stay open when the program replaces its own process image,
 * which keeps the process id that LISTEN_PID names.
 * @throws ConfigError when one of them is no stream socket that listens
 */
export function inheritedSockets(environment: NodeJS.ProcessEnv, pid: number): readonly InheritedSocket[] {
  if (environment['LISTEN_PID'] !== String(pid)) return [];
  const count = Number(environment['LISTEN_FDS'] ?? '0');
  if (!Number.isInteger(count) || count < 0 || count > descriptorsMax) {
    throw unusable(`${JSON.stringify(environment['LISTEN_FDS'])} is no number from 0 to ${descriptorsMax}`);
  }
  const names = environment['LISTEN_FDNAMES']?.split(':') ?? [];
  return Array.from({ length: count }, (_, index) => {
    const fd = firstDescriptor + index;
    const address = listeningAddressOf(fd);
    if (address === undefined) throw unusable(`descriptor ${fd} is no stream socket that listens`);
    return { fd, name: names[index] ?? '', address };
  });
}

/** The program is about to replace its process image, and the next one needs the sockets. */
export function keepForNextImage(sockets: readonly InheritedSocket[]): void {
  for (const { fd } of sockets) setKeptAtExec(fd, true);
}

/**
 * The sockets are this process's alone from now on: no program that is started later gets them, or believes
 * that it does.
 */
export function takeInheritedSockets(
  sockets: readonly InheritedSocket[],
  environment: NodeJS.ProcessEnv,
): void {
  for (const { fd } of sockets) setKeptAtExec(fd, false);
  delete environment['LISTEN_PID'];
  delete environment['LISTEN_FDS'];
  delete environment['LISTEN_FDNAMES'];
}

function unusable(reason: string): ConfigError {
  return new ConfigError([{ origin: 'LISTEN_FDS', reason }]);
}
