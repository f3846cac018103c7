import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { StateStore, TransferState } from '#sdk/transfer';
import { isNbdUrl } from './nbd-place.js';
import { readPrivate, removePrivate, replacePrivate } from './private-file.js';

/** The state of a transfer in a file that only its owner can read: it names a ticket. */
export class StateFile implements StateStore {
  constructor(readonly path: string) {}

  /**
   * Of a file that is moved, in the user's folder for such (XDG Base Directory, `XDG_STATE_HOME`).
   * @param purpose a file may be sent and received, and to more than one place
   */
  static of(file: string, purpose: string, environment: NodeJS.ProcessEnv): StateFile {
    const { XDG_STATE_HOME: stateHome = join(homedir(), '.local', 'state') } = environment;
    const name = createHash('sha256')
      .update(`${purpose} ${resolve(file)}`)
      .digest('hex')
      .slice(0, 32);
    return new StateFile(join(stateHome, 'imageio', `${name}.json`));
  }

  /** @throws Error when there is something else in the file */
  async load(): Promise<TransferState | undefined> {
    const text = await readPrivate(this.path);
    if (text === undefined) return undefined;
    const state: unknown = JSON.parse(text);
    if (!isState(state)) throw new Error(`${this.path} has no state of a transfer`);
    return state;
  }

  async save(state: TransferState): Promise<void> {
    await replacePrivate(this.path, JSON.stringify(state));
  }

  async remove(): Promise<void> {
    await removePrivate(this.path);
  }
}

/**
 * What tells that a file is the one it was: nobody can write to it without changing one of these. An NBD
 * export has nothing like it, and is its url.
 */
export async function fileIdentity(path: string): Promise<string> {
  if (isNbdUrl(path)) return path;
  const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
  return `${dev}:${ino}:${size}:${mtimeNs}`;
}

/** What tells that a file that is written is the same one, and not another of its name, or of its number. */
export async function placeIdentity(path: string): Promise<string> {
  if (isNbdUrl(path)) return path;
  const { dev, ino, birthtimeNs } = await stat(path, { bigint: true });
  return `${dev}:${ino}:${birthtimeNs}`;
}

function isState(value: unknown): value is TransferState {
  if (typeof value !== 'object' || value === null) return false;
  const { version, sizeBytes, sourceIdentity, targetIdentity, durable } = value as Partial<
    Record<keyof TransferState, unknown>
  >;
  return (
    version === 1 &&
    typeof sizeBytes === 'number' &&
    typeof sourceIdentity === 'string' &&
    typeof targetIdentity === 'string' &&
    Array.isArray(durable) &&
    durable.every(isRange)
  );
}

function isRange(value: unknown): boolean {
  const { offsetBytes, lengthBytes } = value as Partial<Record<string, unknown>>;
  return Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(lengthBytes);
}
