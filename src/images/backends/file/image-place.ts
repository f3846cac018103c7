import { type BigIntStats, constants } from 'node:fs';
import os from 'node:os';

import { NotAllowedError } from '../../../base/errors.js';
import { closeFile, fileSystemType, openFile, readLink, statFile } from './file-calls.js';
import { kernelFileSystem } from './kernel-file-systems.js';
import { errorCode } from '../../../base/error-details.js';

/** A file that was found and is held, but not opened: it stays the same whatever its name means later. */
export interface ImagePlace {
  readonly stats: BigIntStats;
  /** The name to open it by, valid until `release`. */
  readonly path: string;
  /** To be called once. */
  release(): Promise<void>;
}

/** `O_PATH` of open(2), which Node does not name: holds a file without opening it, so no driver notices. */
const O_PATH = 0o10000000;

/** As many symbolic links as the kernel follows in one path, see path_resolution(7). */
const linksMax = 40;

/**
 * Finds what `path` names, through symbolic links, and refuses what is no place for images: what lies in a
 * kernel file system, or is reached through a link in one, such as those of `/dev/fd`, which lead to
 * whatever this process has open; and with `allowedRoots`, what does not lie below one of them when all
 * links are followed.
 *
 * The kernel could follow the links by itself, but would not say where they lie. So each name is looked up
 * in a directory that is held, and no link is followed before its directory was judged: whoever swaps names
 * meanwhile changes where the walk leads, not what is judged.
 * @param path absolute
 * @param allowedRoots absolute directories; none for no such bound
 * @throws NotAllowedError for such a place, whose cause says which and why; otherwise what a system call
 *   failed with
 */
export async function findImage(path: string, allowedRoots: readonly string[]): Promise<ImagePlace> {
  const fd = await walk(path);
  try {
    await assertNotOfKernel(fd, path);
    if (allowedRoots.length > 0) await assertBelow(fd, path, allowedRoots);
    return { stats: await statFile(fd), path: nameOf(fd), release: () => closeFile(fd) };
  } catch (error: unknown) {
    await closeFile(fd);
    throw error;
  }
}

/**
 * Names that are looked up are text of one character for each byte: names in a file system are bytes, and
 * need not be UTF-8.
 * @returns a descriptor that holds the file
 */
async function walk(path: string): Promise<number> {
  const names = namesOf(Buffer.from(path).toString('latin1'));
  let linkCount = 0;
  let place = await hold('/', constants.O_DIRECTORY);
  const left: Promise<void>[] = [];
  const moveTo = (next: number): void => {
    left.push(closeFile(place));
    place = next;
  };
  try {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const found = await lookUp(place, name, names.length > 0);
      if ('fd' in found) {
        moveTo(found.fd);
        continue;
      }
      await assertNotOfKernel(place, path);
      await assertTrusted(found.linkOwner, place);
      linkCount += 1;
      if (linkCount > linksMax) throw systemError('ELOOP');
      const target = await linkText(place, name);
      names.push(...namesOf(target));
      if (target.startsWith('/')) moveTo(await hold('/', constants.O_DIRECTORY));
    }
    return place;
  } catch (error: unknown) {
    left.push(closeFile(place));
    throw error;
  } finally {
    await Promise.all(left);
  }
}

/** The names in a path, last one first. */
function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  // What has a slash behind it must be a directory.
  if (path.endsWith('/')) names.push('.');
  return names.reverse();
}

/** What a name is: held by a descriptor, or a link and the id of the user that it belongs to. */
type Found = { readonly fd: number } | { readonly linkOwner: bigint };

async function lookUp(directory: number, name: string, hasMore: boolean): Promise<Found> {
  const path = `${nameOf(directory)}/${name}`;
  if (hasMore) {
    try {
      // Only a look-up that wants a directory makes the automounter mount one.
      return { fd: await hold(path, constants.O_DIRECTORY) };
    } catch (error: unknown) {
      if (errorCode(error) !== 'ENOTDIR') throw error;
    }
  }
  const fd = await hold(path, 0);
  let isHeld = false;
  try {
    const stats = await statFile(fd);
    isHeld = !stats.isSymbolicLink();
    return isHeld ? { fd } : { linkOwner: stats.uid };
  } finally {
    if (!isHeld) await closeFile(fd);
  }
}

/**
 * As the kernel does where it follows links by itself (`fs.protected_symlinks`, proc(5)): in a folder like
 * `/tmp` only links of this user and of the folder's owner are followed, as everybody can make some there.
 */
async function assertTrusted(linkOwner: bigint, directory: number): Promise<void> {
  const { mode, uid } = await statFile(directory);
  const isForEverybody = (mode & stickyAndWritable) === stickyAndWritable;
  if (!isForEverybody || linkOwner === uid || linkOwner === BigInt(process.geteuid?.() ?? -1)) return;
  throw systemError('EACCES');
}

/** `S_ISVTX | S_IWOTH` of inode(7). */
const stickyAndWritable = 0o1002n;

async function linkText(directory: number, name: string): Promise<string> {
  const text = await readLink(Buffer.from(`${nameOf(directory)}/${name}`, 'latin1'));
  return text.toString('latin1');
}

function hold(path: string, flags: number): Promise<number> {
  return openFile(Buffer.from(path, 'latin1'), flags | O_PATH | constants.O_NOFOLLOW);
}

/** The kernel's name for whatever a descriptor of this process holds, links not followed; see proc(5). */
function nameOf(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

async function assertNotOfKernel(fd: number, path: string): Promise<void> {
  const name = kernelFileSystem(await fileSystemType(nameOf(fd)));
  if (name === undefined) return;
  throw refused(`${path} leads to ${await realPath(fd)} of the kernel file system ${name}`);
}

async function assertBelow(fd: number, path: string, roots: readonly string[]): Promise<void> {
  const real = await realPath(fd);
  if (roots.some((root) => real.startsWith(root.endsWith('/') ? root : `${root}/`))) return;
  throw refused(`${path} leads to ${real}, which is below none of [backend_file] allowed_roots`);
}

async function realPath(fd: number): Promise<string> {
  return (await readLink(nameOf(fd))).toString();
}

function refused(reason: string): NotAllowedError {
  return new NotAllowedError('The image is in a place where no image may be', { cause: new Error(reason) });
}

/** What the kernel says where it walks a path by itself. */
function systemError(code: 'EACCES' | 'ELOOP'): Error {
  return Object.assign(new Error(code), { code, errno: -os.constants.errno[code], syscall: 'open' });
}
