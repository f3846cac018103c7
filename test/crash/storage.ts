import { rm } from 'node:fs/promises';
import { assertSameImage } from '../support/images.js';
import { runProgram, type NbdServer, type Workspace } from '../nbd/servers.js';

/**
 * What the daemon has the image on:
 * - `file`: a raw file. What was written to it outlives every process.
 * - `cache`: nbdkit that keeps all that was written in memory until it is flushed.
 * - `qcow2`: qemu-nbd, which keeps where new clusters of the image are in memory until it is flushed.
 */
export type StorageKind = 'file' | 'cache' | 'qcow2';

export interface Storage {
  /** As a ticket says it. */
  readonly url: string;
  /** What was not flushed is lost. A file cannot be killed. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** How it ended; undefined while it is there. */
  readonly end: string | undefined;
  /** Kills it, so that what was not flushed is not seen. @throws where it differs from the file at `path` */
  compare(path: string): Promise<void>;
  /** Ends it, and removes what it has. */
  remove(): Promise<void>;
}

export interface StorageOptions {
  readonly name: string;
  /** Writes what is there before. */
  readonly fill: (path: string) => Promise<void>;
}

/** Enough for all connections of a client, those of one that was killed, and the final look. */
const connectionsMax = 32;

export async function makeStorage(
  kind: StorageKind,
  workspace: Workspace,
  options: StorageOptions,
): Promise<Storage> {
  const raw = workspace.path(`${options.name}.raw`);
  await options.fill(raw);
  if (kind === 'file') return new FileStorage(raw);
  if (kind === 'cache') {
    // The filter passes on the extents of the file, which are not those of what it keeps in memory.
    const filters = ['--filter=noextents', '--filter=cache'];
    const server = await workspace.nbdkit(...filters, 'file', raw, 'cache=writeback');
    return new ServedStorage(server, server.url, raw, 'raw');
  }
  const qcow2 = workspace.path(`${options.name}.qcow2`);
  await runProgram('qemu-img', 'convert', '-q', '-f', 'raw', '-O', 'qcow2', raw, qcow2);
  await rm(raw);
  const server = await workspace.qemuNbd(
    ...[`--shared=${connectionsMax}`, '--format=qcow2', '--cache=writeback', '--discard=unmap', qcow2],
  );
  return new ServedStorage(server, server.url, qcow2, 'qcow2');
}

class FileStorage implements Storage {
  readonly end = undefined;

  constructor(private readonly path: string) {}

  get url(): string {
    return `file://${this.path}`;
  }

  async kill(): Promise<void> {
    throw new Error('A file cannot be killed');
  }

  async start(): Promise<void> {
    // It is there.
  }

  async compare(path: string): Promise<void> {
    await assertSameImage(this.path, path);
  }

  async remove(): Promise<void> {
    await rm(this.path);
  }
}

class ServedStorage implements Storage {
  constructor(
    private readonly server: NbdServer,
    readonly url: string,
    private readonly path: string,
    private readonly format: 'raw' | 'qcow2',
  ) {}

  get end(): string | undefined {
    return this.server.end;
  }

  async kill(): Promise<void> {
    await this.server.stop('SIGKILL');
  }

  async start(): Promise<void> {
    await this.server.start();
  }

  async compare(path: string): Promise<void> {
    await this.kill();
    await runProgram('qemu-img', 'compare', '-f', this.format, '-F', 'raw', this.path, path);
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.path);
  }
}
