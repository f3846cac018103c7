import { randomUUID } from 'node:crypto';
import type { ApiDocument } from './documents.js';
import { ApiFault } from './fault.js';
import type { EngineScript } from './script.js';
import type { Storage, StoredDisk } from './storage.js';

export type DiskStatus = 'locked' | 'ok' | 'illegal';

export interface EngineDisk {
  readonly id: string;
  readonly name: string;
  /** As it was asked for. */
  readonly wanted: ApiDocument;
  readonly stored: StoredDisk;
  status: DiskStatus;
  /** How often it is still told to be locked while it is made. */
  lockedPolls: number;
}

export const storageDomain = { id: '5b1ee2b1-0000-4000-8000-000000000001', name: 'data' } as const;

/** The disks that the engine has. */
export class EngineDisks {
  readonly #disks = new Map<string, EngineDisk>();

  constructor(
    private readonly script: EngineScript,
    private readonly storage: Storage,
  ) {}

  get all(): readonly EngineDisk[] {
    return [...this.#disks.values()];
  }

  /** @throws ApiFault */
  async add(wanted: ApiDocument): Promise<EngineDisk> {
    const {
      id = randomUUID(),
      name = wanted['alias'] ?? '',
      format = 'raw',
      provisioned_size: size,
    } = wanted;
    if (typeof id !== 'string' || typeof name !== 'string' || typeof size !== 'string')
      throw new ApiFault(400, 'Request syntactically incorrect.', 'Disk [provisionedSize] required for add');
    const { storage_domains: domains } = wanted;
    const [domain] = ((domains as ApiDocument | undefined)?.['storage_domain'] ??
      []) as readonly ApiDocument[];
    if (domain?.['name'] !== storageDomain.name && domain?.['id'] !== storageDomain.id)
      throw new ApiFault(404, 'Operation Failed', 'Entity not found: Storage domain');
    if (this.#disks.has(id))
      throw new ApiFault(409, 'Operation Failed', '[Cannot add Virtual Disk. Disk with the same ID exists.]');
    const stored = await this.storage.make(id, format as 'raw' | 'cow', Number(size));
    const { lockedPolls } = this.script;
    const disk: EngineDisk = { id, name, wanted, stored, status: 'locked', lockedPolls };
    this.#disks.set(id, disk);
    return disk;
  }

  /** @throws ApiFault */
  get(id: string): EngineDisk {
    const disk = this.#disks.get(id);
    if (disk === undefined) throw new ApiFault(404, undefined, undefined);
    return disk;
  }

  /** As `get`; time goes on for a disk that is being made. */
  poll(id: string): EngineDisk {
    const disk = this.get(id);
    if (disk.lockedPolls > 0) disk.lockedPolls -= 1;
    else if (disk.lockedPolls === 0) {
      disk.lockedPolls = -1;
      disk.status = this.script.makesIllegalDisks ? 'illegal' : 'ok';
    }
    return disk;
  }

  async remove(id: string): Promise<void> {
    const disk = this.get(id);
    if (disk.status === 'locked')
      throw new ApiFault(
        409,
        'Operation Failed',
        `[Cannot remove Virtual Disk. Disk ${disk.name} is locked.]`,
      );
    await this.discard(disk);
  }

  async discard(disk: EngineDisk): Promise<void> {
    this.#disks.delete(disk.id);
    await this.storage.remove(disk.stored);
  }
}

export function diskDocument({ id, name, wanted, stored, status }: EngineDisk): ApiDocument {
  return {
    id,
    href: `/ovirt-engine/api/disks/${id}`,
    actual_size: '0',
    alias: name,
    content_type: wanted['content_type'] ?? 'data',
    description: wanted['description'],
    format: stored.format,
    name,
    provisioned_size: String(stored.provisionedBytes),
    sparse: wanted['sparse'] ?? 'false',
    status,
    storage_domains: { storage_domain: [{ id: storageDomain.id }] },
    storage_type: 'image',
  };
}
