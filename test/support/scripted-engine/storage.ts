import { open, unlink } from 'node:fs/promises';
import { Workspace, runProgram, type NbdServer } from '../../nbd/servers.js';

export interface StoredDisk {
  readonly path: string;
  readonly format: 'raw' | 'cow';
  readonly provisionedBytes: number;
}

/** A disk as vdsm opens it for a transfer. */
export interface OpenDisk {
  /** Of the ticket. */
  readonly url: string;
  readonly sizeBytes: number;
  close(): Promise<void>;
}

/** The part of vdsm that makes and opens disks: raw ones as files, others through qemu-nbd. */
export class Storage implements AsyncDisposable {
  private constructor(private readonly workspace: Workspace) {}

  static async create(): Promise<Storage> {
    return new Storage(await Workspace.create());
  }

  async make(id: string, format: 'raw' | 'cow', provisionedBytes: number): Promise<StoredDisk> {
    const path = this.workspace.path(id);
    if (format === 'cow') {
      await runProgram('qemu-img', 'create', '-q', '-f', 'qcow2', path, String(provisionedBytes));
    } else {
      await using file = await open(path, 'w');
      await file.truncate(provisionedBytes);
    }
    return { path, format, provisionedBytes };
  }

  /** @param layer the uppermost layer of the disk alone, without what it is based on */
  async open(
    { path, format, provisionedBytes }: StoredDisk,
    { readOnly, layer }: { readOnly: boolean; layer: boolean },
  ): Promise<OpenDisk> {
    if (format === 'raw')
      return { url: `file://${path}`, sizeBytes: provisionedBytes, close: async () => undefined };
    const image = {
      driver: 'qcow2',
      file: { driver: 'file', filename: path },
      ...(layer ? { backing: null } : {}),
    };
    const server: NbdServer = await this.workspace.qemuNbd(
      '--discard=unmap',
      '--allocation-depth',
      ...(readOnly ? ['--read-only'] : []),
      `json:${JSON.stringify(image)}`,
    );
    return { url: server.url, sizeBytes: provisionedBytes, close: () => server.stop() };
  }

  async remove({ path }: StoredDisk): Promise<void> {
    await unlink(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.workspace[Symbol.asyncDispose]();
  }
}
