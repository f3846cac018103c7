import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Address } from './address.js';

/**
 * How many connections a process holds at one of its listeners: descriptors, in
 * whatever state the connection is.
 */
export async function heldConnections(pid: number, address: Address): Promise<number> {
  const held = new Set(await socketsOf(pid));
  const connections =
    address.kind === 'unix' ? await unixSockets(address.path) : await tcpSockets(address.port);
  return connections.filter((inode) => held.has(inode)).length;
}

async function socketsOf(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const targets = await Promise.all(
    (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')),
  );
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}

// proc(5), /proc/net/tcp
const listening = '0A';

async function tcpSockets(port: number): Promise<string[]> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const files = await Promise.all(['tcp', 'tcp6'].map((name) => rows(`/proc/net/${name}`)));
  return files
    .flat()
    .filter(([, local, , state]) => local?.endsWith(wanted) === true && state !== listening)
    .map((columns) => columns[9] ?? '');
}

// proc(5), /proc/net/unix
const acceptsConnections = '00010000';

async function unixSockets(path: string): Promise<string[]> {
  const wanted = path.replace(/^\0/, '@');
  return (await rows('/proc/net/unix'))
    .filter((columns) => columns[7] === wanted && columns[3] !== acceptsConnections)
    .map((columns) => columns[6] ?? '');
}

async function rows(file: string): Promise<string[][]> {
  const [, ...lines] = (await readFile(file, 'latin1')).split('\n');
  return lines.map((line) => line.trim().split(/\s+/));
}
