import { constants } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { errorCode, errorMessage } from '../../base/error-details.js';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants;

/** The ids of tickets are secrets. */
const mode = 0o600;
/** Permissions of anybody but the owner. */
const othersMode = 0o077;
/** Two million tickets: a file that is larger is none of ours. */
const readBytesMax = 1024 ** 3;

export interface JournalText {
  /** All of the file; empty when there is none. */
  readonly text: string;
  /** Why it was not read, in words for the log. */
  readonly problem?: string;
}

/**
 * Reads a journal that a process of this service has left.
 * @param owners users whose file it may be; what anybody else can write is not believed
 */
export async function readJournalFile(path: string, owners: readonly number[]): Promise<JournalText> {
  let file: FileHandle;
  try {
    // Without O_NONBLOCK the open of a FIFO would wait for somebody who writes to it.
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error: unknown) {
    if (errorCode(error) === 'ENOENT') return { text: '' };
    return { text: '', problem: errorCode(error) === 'ELOOP' ? 'it is a link' : errorMessage(error) };
  }
  try {
    const status = await file.stat();
    if (!status.isFile()) return { text: '', problem: 'it is no file' };
    if (!owners.includes(status.uid)) return { text: '', problem: `it belongs to user ${status.uid}` };
    if ((status.mode & othersMode) !== 0) return { text: '', problem: 'others than its owner may use it' };
    if (status.size > readBytesMax) return { text: '', problem: `it has ${status.size} bytes` };
    return { text: await file.readFile('utf8') };
  } catch (error: unknown) {
    return { text: '', problem: errorMessage(error) };
  } finally {
    await file.close();
  }
}

/** A journal that is being written. One call at a time. */
export class JournalFile {
  #sizeBytes = 0;

  private constructor(private readonly file: FileHandle) {}

  /**
   * Puts a new journal in the place of the old one, which is there until the new one is complete.
   * @param write writes all of it
   * @throws Error of the system; the old one is there then
   */
  static async replace(path: string, write: (file: JournalFile) => Promise<void>): Promise<JournalFile> {
    const next = `${path}.new`;
    await rm(next, { force: true });
    const journal = new JournalFile(
      await open(next, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, mode),
    );
    try {
      await write(journal);
      await rename(next, path);
      return journal;
    } catch (error: unknown) {
      await journal.close();
      await rm(next, { force: true });
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** @throws Error of the system; a part of `text` may be written then, so nothing may follow */
  async append(text: string): Promise<void> {
    await this.file.appendFile(text);
    this.#sizeBytes += Buffer.byteLength(text);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}
