import type { StateStore, TransferState } from '#sdk/transfer';
import type { Access } from './access.js';

/** What the browser remembers of an upload that is not over. */
export interface Remembered {
  /** Of the image: there is one upload to each. */
  readonly path: string;
  /** By what it was allowed; it ends with the ticket. */
  readonly access: Access;
  readonly fileName: string;
  readonly handle: FileSystemFileHandle | undefined;
  readonly state: TransferState;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
}

const databaseName = 'ovirt-imageio';
const storeName = 'uploads';
/** Longer than tickets last: what is older, nobody comes back to. */
const keptMilliseconds = 14 * 24 * 3600 * 1000;

/** Uploads that are not over, in a database of the browser, which pages of this service alone can read. */
export class Memory {
  private constructor(private readonly database: IDBDatabase) {}

  /** @returns undefined where the browser remembers nothing, such as in some private windows */
  static async open(): Promise<Memory | undefined> {
    try {
      const request = indexedDB.open(databaseName, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(storeName, { keyPath: 'path' });
      };
      return new Memory(await outcome(request));
    } catch {
      return undefined;
    }
  }

  /** The newest first. */
  async list(): Promise<readonly Remembered[]> {
    const all = await outcome(this.#store('readonly').getAll() as IDBRequest<Remembered[]>);
    const since = Date.now() - keptMilliseconds;
    for (const { path, savedAt } of all) if (savedAt < since) await this.forget(path);
    return all.filter(({ savedAt }) => savedAt >= since).sort((one, other) => other.savedAt - one.savedAt);
  }

  async find(path: string): Promise<Remembered | undefined> {
    return outcome(this.#store('readonly').get(path) as IDBRequest<Remembered | undefined>);
  }

  async forget(path: string): Promise<void> {
    await outcome(this.#store('readwrite').delete(path));
  }

  /** Where an upload keeps its state. */
  of(upload: Omit<Remembered, 'state' | 'savedAt'>): StateStore {
    return {
      load: async () => (await this.find(upload.path))?.state,
      save: async (state) => {
        const remembered: Remembered = { ...upload, state, savedAt: Date.now() };
        await outcome(this.#store('readwrite').put(remembered));
      },
      remove: () => this.forget(upload.path),
    };
  }

  #store(mode: IDBTransactionMode): IDBObjectStore {
    return this.database.transaction(storeName, mode).objectStore(storeName);
  }
}

async function outcome<T>(request: IDBRequest<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  request.onsuccess = () => {
    resolve(request.result);
  };
  request.onerror = () => {
    reject(request.error ?? new Error('The database of the browser failed'));
  };
  return promise;
}
