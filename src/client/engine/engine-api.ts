import { TransferError } from '#sdk/transfer';
import type { EngineConnection } from './engine-connection.js';

export type DiskStatus = 'ok' | 'locked' | 'illegal';

export interface EngineDisk {
  readonly id: string;
  readonly name: string;
  readonly status: DiskStatus;
  readonly storageDomainIds: readonly string[];
}

export interface NewDisk {
  /** Chosen here, so that a disk whose answer was lost is known again. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly contentType: 'data' | 'iso';
  readonly format: 'raw' | 'qcow2';
  readonly sparse: boolean;
  /** As the guest sees it; a multiple of 512. */
  readonly sizeBytes: number;
  /** To be allocated at once, where storage allocates. */
  readonly initialBytes: number | undefined;
  /** The name of the one that it is made in. */
  readonly storageDomain: string;
}

/** An image transfer of the engine. */
export interface EngineTransfer {
  readonly id: string;
  /** As the API calls it, e.g. `transferring`, `paused_system`. */
  readonly phase: string;
  readonly hostId: string | undefined;
  /** At the daemon of the host. */
  readonly transferUrl: string | undefined;
  /** At the proxy. */
  readonly proxyUrl: string | undefined;
  /** After so long without a request the engine pauses it. */
  readonly inactivitySeconds: number;
}

export interface NewTransfer {
  readonly direction: 'upload' | 'download';
  readonly diskId: string;
  /** The host that is to have it; the engine chooses when absent. */
  readonly hostId: string | undefined;
  /** Of which the disk is to be read. */
  readonly backupId?: string | undefined;
  /** The uppermost layer of the disk alone. */
  readonly shallow?: boolean;
}

export type TransferAction = 'cancel' | 'extend' | 'finalize' | 'pause' | 'resume';

/** What the engine takes for its default. */
const inactivitySecondsDefault = 60;

/** The part of the engine's API that moving disks takes. All throws TransferError, in the engine's words. */
export class EngineApi {
  constructor(private readonly connection: EngineConnection) {}

  async addDisk(disk: NewDisk, signal: AbortSignal): Promise<EngineDisk> {
    const { format, initialBytes, storageDomain } = disk;
    return this.connection.create(
      '/disks',
      {
        id: disk.id,
        name: disk.name,
        description: disk.description,
        content_type: disk.contentType,
        format: format === 'qcow2' ? 'cow' : 'raw',
        // Only qcow2 has bitmaps of what has changed.
        backup: format === 'qcow2' ? 'incremental' : undefined,
        sparse: disk.sparse,
        provisioned_size: disk.sizeBytes,
        initial_size: initialBytes,
        storage_domains: { storage_domain: [{ name: storageDomain }] },
      },
      { of: diskOf, find: () => this.disk(disk.id, signal) },
      signal,
    );
  }

  /** @returns undefined when there is none */
  async disk(id: string, signal: AbortSignal): Promise<EngineDisk | undefined> {
    const found = await this.#find(`/disks/${encodeURIComponent(id)}`, signal);
    return found === undefined ? undefined : diskOf(found);
  }

  async removeDisk(id: string, signal: AbortSignal): Promise<void> {
    await this.connection.send('DELETE', `/disks/${encodeURIComponent(id)}`, signal);
  }

  async addTransfer(wanted: NewTransfer, signal: AbortSignal): Promise<EngineTransfer> {
    const { direction, diskId, hostId, backupId, shallow } = wanted;
    const before = new Set((await this.transfersOf(diskId, signal)).map(({ id }) => id));
    return this.connection.create(
      '/imagetransfers',
      {
        direction,
        disk: { id: diskId },
        // What the guest sees, whatever is on storage.
        format: 'raw',
        // Else the engine deletes the disk when it hears nothing for a while, and nothing could go on.
        timeout_policy: 'pause',
        host: hostId === undefined ? undefined : { id: hostId },
        backup: backupId === undefined ? undefined : { id: backupId },
        shallow,
      },
      {
        of: transferOf,
        find: async () => (await this.transfersOf(diskId, signal)).find(({ id }) => !before.has(id)),
      },
      signal,
    );
  }

  /** Those that the engine has of a disk: the API has no id that the client could choose. */
  async transfersOf(diskId: string, signal: AbortSignal): Promise<readonly EngineTransfer[]> {
    const answer = fields(await this.connection.send('GET', '/imagetransfers', signal));
    return listOf(answer['image_transfer'])
      .filter(({ disk, image }) => [fields(disk)['id'], fields(image)['id']].includes(diskId))
      .map(transferOf);
  }

  /** @returns undefined when there is none, or none any more */
  async transfer(id: string, signal: AbortSignal): Promise<EngineTransfer | undefined> {
    const found = await this.#find(`/imagetransfers/${encodeURIComponent(id)}`, signal);
    return found === undefined ? undefined : transferOf(found);
  }

  async act(id: string, action: TransferAction, signal: AbortSignal): Promise<void> {
    await this.connection.send('POST', `/imagetransfers/${encodeURIComponent(id)}/${action}`, signal, {});
  }

  async storageDomainName(id: string, signal: AbortSignal): Promise<string | undefined> {
    const { name } = (await this.#find(`/storagedomains/${encodeURIComponent(id)}`, signal)) ?? {};
    return typeof name === 'string' ? name : undefined;
  }

  /**
   * The host with that hardware id, where it is up and can open disks of the storage domain.
   * @returns its id; undefined when there is none
   */
  async hostWith(
    hardwareId: string,
    storageDomain: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const centers = await this.#search('datacenters', `storage.name=${term(storageDomain)}`, signal);
    const [center] = listOf(centers['data_center']);
    if (center === undefined) return undefined;
    const isOurs = `hw_id=${term(hardwareId)} and datacenter=${term(String(center['name']))} and status=Up`;
    const [host] = listOf((await this.#search('hosts', isOurs, signal))['host']);
    return host === undefined ? undefined : String(host['id']);
  }

  async #search(collection: string, words: string, signal: AbortSignal): Promise<Fields> {
    const query = new URLSearchParams({ search: words, case_sensitive: 'true' });
    return fields(await this.connection.send('GET', `/${collection}?${query.toString()}`, signal));
  }

  async #find(path: string, signal: AbortSignal): Promise<Fields | undefined> {
    try {
      return fields(await this.connection.send('GET', path, signal));
    } catch (error: unknown) {
      if (error instanceof TransferError && error.details.status === 404) return undefined;
      throw error;
    }
  }
}

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

/** A word of a search; quoted where it is more than one. */
function term(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `"${text}"`;
}

function diskOf(value: unknown): EngineDisk {
  const { id, name, status, storage_domains: domains } = fields(value);
  if (typeof id !== 'string' || !isStatus(status)) throw notUnderstood('a disk');
  return {
    id,
    name: String(name),
    status,
    storageDomainIds: listOf(fields(domains)['storage_domain']).map((domain) => String(domain['id'])),
  };
}

function isStatus(value: unknown): value is DiskStatus {
  return value === 'ok' || value === 'locked' || value === 'illegal';
}

function transferOf(value: unknown): EngineTransfer {
  const { id, phase, host, transfer_url: transferUrl, proxy_url: proxyUrl, ...rest } = fields(value);
  if (typeof id !== 'string' || typeof phase !== 'string') throw notUnderstood('an image transfer');
  const { id: hostId } = fields(host);
  const inactivitySeconds = Number(rest['inactivity_timeout'] ?? NaN);
  return {
    id,
    phase,
    hostId: textOf(hostId),
    transferUrl: textOf(transferUrl),
    proxyUrl: textOf(proxyUrl),
    inactivitySeconds: inactivitySeconds > 0 ? inactivitySeconds : inactivitySecondsDefault,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function notUnderstood(what: string): TransferError {
  return new TransferError(`The engine did not answer with ${what}`, { retryable: false });
}
