import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, linkSync, lstatSync, unlinkSync, type BigIntStats } from 'node:fs';
import { createConnection, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { errorCode, errorMessage } from '../base/error-details.js';

/** Where a unix socket is; `address` is what Node's `listen` and `connect` take as path. */
export interface UnixAddress {
  /**
   * `abstract`: in the kernel's name space, `address` begins with NUL, and there is no file, mode or owner.
   */
  readonly kind: 'path' | 'abstract';
  readonly address: string;
}

/** The socket cannot be listened on; the message says what is in the way. */
export class UnixSocketError extends Error {
  constructor(
    readonly address: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`Cannot listen on ${address.replace('\0', '@')}: ${reason}`, options);
    this.name = 'UnixSocketError';
  }
}

/** Another process has the abstract name. */
export class AbstractNameTakenError extends UnixSocketError {}

/**
 * The address that a configured name means: one with a NUL first is abstract, an empty one a random abstract
 * name.
 */
export function unixAddress(name: string): UnixAddress {
  if (name === '') {
    return { kind: 'abstract', address: `\0/org/ovirt/imageio/${randomBytes(8).toString('hex')}` };
  }
  return { kind: name.startsWith('\0') ? 'abstract' : 'path', address: name };
}

/** A unix socket that a server listens on. */
export interface BoundUnixSocket {
  readonly address: UnixAddress;
  /**
   * Removes the socket file, if it still is the one that was made here, so that a successor's is not taken
   * away. Call it before closing the server: as long as the server has its socket, no other file can get the
   * same inode number.
   * @returns whether there was something to remove
   */
  removeFile(): boolean;
}

/**
 * Lets `server` listen on a unix socket, replacing a socket file that a crashed process left.
 *
 * The file appears under its name only when it has its mode and accepts connections: the server binds to a
 * temporary name, under a umask that gives the mode at birth (a chmod afterwards would leave a moment with
 * the wrong one), and the file is then linked to the real name. Linking, unlike renaming, fails when somebody
 * else was quicker. The temporary name also keeps libuv, which unlinks the path it bound when it closes, from
 * removing a successor's file.
 *
 * @param mode permissions of the file; whoever may write to it may connect
 * @throws AbstractNameTakenError when a live server has the abstract name; UnixSocketError when a live
 * server, or a file that is no socket, has the name, or binding fails
 */
export async function listenOnUnixSocket(
  server: Server,
  address: UnixAddress,
  mode = 0o660,
): Promise<BoundUnixSocket> {
  if (address.kind === 'abstract') {
    try {
      await listen(server, address.address, address.address, mode);
    } catch (error: unknown) {
      if (!(error instanceof UnixSocketError && errorCode(error.cause) === 'EADDRINUSE')) throw error;
      throw new AbstractNameTakenError(address.address, reasonOf(error.cause), { cause: error.cause });
    }
    return { address, removeFile: () => false };
  }
  const path = address.address;
  // libuv reports a missing folder as EACCES, which would send people looking at permissions.
  if (!existsSync(dirname(path))) throw new UnixSocketError(path, 'its folder does not exist');
  await removeStale(path);

  const temporary = join(dirname(path), `.${randomBytes(4).toString('hex')}`);
  await listen(server, temporary, path, mode);
  let made: BigIntStats;
  try {
    linkSync(temporary, path);
    made = lstatSync(temporary, { bigint: true });
    unlinkSync(temporary);
  } catch (error: unknown) {
    server.close();
    throw new UnixSocketError(path, reasonOf(error), { cause: error });
  }
  return {
    address,
    removeFile: () => {
      const found = fileAt(path);
      if (found === undefined || !isSameInode(found, made)) return false;
      unlinkSync(path);
      return true;
    },
  };
}

async function listen(server: Server, boundPath: string, shownPath: string, mode: number): Promise<void> {
  // Node binds within listen(), so the umask, which belongs to the whole process, is changed for this one
  // call only.
  const umask = process.umask(0o777 & ~mode);
  try {
    server.listen(boundPath);
  } finally {
    process.umask(umask);
  }
  try {
    await once(server, 'listening');
  } catch (error: unknown) {
    throw new UnixSocketError(shownPath, reasonOf(error), { cause: error });
  }
}

/** Removes the socket file at `path` if nobody answers there. */
async function removeStale(path: string): Promise<void> {
  const found = fileAt(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw new UnixSocketError(path, 'the file there is not a socket');

  const failure = await connectFailure(path);
  if (failure === undefined) throw new UnixSocketError(path, 'another process is listening there');
  // Any other failure, such as EACCES or a full backlog, does not prove that nobody listens.
  if (failure !== 'ECONNREFUSED' && failure !== 'ENOENT') {
    throw new UnixSocketError(path, `the socket there may be in use: connecting to it fails with ${failure}`);
  }
  // Another process that starts at the same time may have replaced the file meanwhile. The new file can have
  // the inode number of the old one (this was seen in practice), but not its time of change.
  const now = fileAt(path);
  if (now !== undefined && isSameInode(now, found) && now.ctimeNs === found.ctimeNs) unlinkSync(path);
}

/** The error code of connecting to `path`, or undefined when somebody accepts. */
async function connectFailure(path: string): Promise<string | undefined> {
  const connection = createConnection(path);
  try {
    await once(connection, 'connect');
    return undefined;
  } catch (error: unknown) {
    return errorCode(error) ?? reasonOf(error);
  } finally {
    connection.destroy();
  }
}

function fileAt(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

function isSameInode(one: BigIntStats, other: BigIntStats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

function reasonOf(error: unknown): string {
  switch (errorCode(error)) {
    case 'EADDRINUSE':
    case 'EEXIST':
      return 'another process is listening there';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    default:
      return errorMessage(error);
  }
}
