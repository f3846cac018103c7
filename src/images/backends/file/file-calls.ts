import fs from 'node:fs';

import { errorCode } from '../../../base/error-details.js';

/**
 * The calls of `fs` on a file descriptor as promises. `fs.promises` has them only on its `FileHandle`,
 * which closes the file behind our back when it is collected and costs more per call.
 */

/**
 * One attempt to move bytes between `view` and the file at `positionBytes`; resolves
 * with how many it moved.
 */
export type Transfer = (view: Uint8Array, positionBytes: number) => Promise<number>;

/**
 * Repeats `once` until all of `view` is moved or it moves nothing, as at the end of a file: the kernel may
 * do less than asked, and a signal may interrupt it (EINTR, which libuv passes on for read and write).
 * @returns how many bytes were moved
 */
export async function transferFully(
  once: Transfer,
  view: Uint8Array,
  positionBytes: number,
): Promise<number> {
  let doneBytes = 0;
  while (doneBytes < view.length) {
    let movedBytes: number;
    try {
      movedBytes = await once(doneBytes === 0 ? view : view.subarray(doneBytes), positionBytes + doneBytes);
    } catch (error: unknown) {
      if (errorCode(error) === 'EINTR') {
        continue;
      }
      throw error;
    }
    if (movedBytes === 0) {
      break;
    }
    doneBytes += movedBytes;
  }
  return doneBytes;
}

export function readOnce(fd: number): Transfer {
  return (view, positionBytes) =>
    new Promise((resolve, reject) => {
      fs.read(fd, view, 0, view.length, positionBytes, (error, bytesRead) => {
        if (error) reject(error);
        else resolve(bytesRead);
      });
    });
}

export function writeOnce(fd: number): Transfer {
  return (view, positionBytes) =>
    new Promise((resolve, reject) => {
      fs.write(fd, view, 0, view.length, positionBytes, (error, bytesWritten) => {
        if (error) reject(error);
        else resolve(bytesWritten);
      });
    });
}

export function openFile(path: string | Buffer, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, flags, (error, fd) => {
      if (error) reject(error);
      else resolve(fd);
    });
  });
}

/** The text of a symbolic link, as bytes. */
export function readLink(path: string | Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    fs.readlink(path, 'buffer', (error, text) => {
      if (error) reject(error);
      else resolve(text);
    });
  });
}

/** The type of the file system that has `path`, as `statfs(2)` tells it. */
export function fileSystemType(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.statfs(path, (error, stats) => {
      if (error) reject(error);
      else resolve(stats.type);
    });
  });
}

/** Inode numbers need all their 64 bits to tell files apart, hence bigint. */
export function statFile(fd: number): Promise<fs.BigIntStats> {
  return new Promise((resolve, reject) => {
    fs.fstat(fd, { bigint: true }, (error, stats) => {
      if (error) reject(error);
      else resolve(stats);
    });
  });
}

/** The size of a regular file in bytes. */
export async function fileSizeBytes(fd: number): Promise<number> {
  return Number((await statFile(fd)).size);
}

/** What a regular file takes on its file system, in bytes: holes take nothing. */
export async function allocatedFileBytes(fd: number): Promise<number> {
  return Number((await statFile(fd)).blocks) * statBlockBytes;
}

/** The unit of `st_blocks`, whatever the blocks of the file system are; see inode(7). */
const statBlockBytes = 512;

/** What users other than root can still allocate on the file system of an open file, in bytes. */
export function freeSpaceBytes(fd: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.statfs(`/proc/self/fd/${fd}`, (error, stats) => {
      if (error) reject(error);
      else resolve(stats.bavail * stats.bsize);
    });
  });
}

export function setFileSize(fd: number, sizeBytes: number): Promise<void> {
  return settled((done) => {
    fs.ftruncate(fd, sizeBytes, done);
  });
}

export function syncData(fd: number): Promise<void> {
  return settled((done) => {
    fs.fdatasync(fd, done);
  });
}

export function syncFile(fd: number): Promise<void> {
  return settled((done) => {
    fs.fsync(fd, done);
  });
}

export function closeFile(fd: number): Promise<void> {
  return settled((done) => {
    fs.close(fd, done);
  });
}

function settled(start: (done: (error: Error | null | undefined) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
