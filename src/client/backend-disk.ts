import type { ByteRange, DiskExtent, WritableDisk } from '#sdk/transfer';
import type { Backend } from '../images/backends/backend.js';
import { AlignedMemory, blockSlackBytes } from '../images/buffers/aligned-memory.js';

/** A file, block device or NBD export of this host as a disk of a transfer: direct I/O, holes and all. */
export class BackendDisk implements WritableDisk {
  readonly growable: boolean;
  readonly #memory = new AlignedMemory();
  /** Those that no call uses, each as long as the calls so far needed. */
  #buffers: Uint8Array[] = [];
  #bufferBytes = 0;

  private constructor(
    private readonly backend: Backend,
    readonly sizeBytes: number,
  ) {
    this.growable = backend.growable;
  }

  /** @param backend is closed with the disk */
  static async of(backend: Backend): Promise<BackendDisk> {
    return new BackendDisk(backend, await backend.sizeBytes());
  }

  async *extents(signal: AbortSignal): AsyncGenerator<DiskExtent> {
    for await (const list of this.backend.extents('zero')) {
      signal.throwIfAborted();
      for (const { start, length, zero } of list) yield { offsetBytes: start, lengthBytes: length, zero };
    }
  }

  async read(target: Uint8Array, offsetBytes: number): Promise<void> {
    const buffer = this.#borrow(target.length + 2 * blockSlackBytes);
    try {
      const data = await this.backend.read(buffer, { offsetBytes, lengthBytes: target.length });
      if (data.length < target.length) throw new Error('The disk became shorter while it was read');
      target.set(data);
    } finally {
      this.#giveBack(buffer);
    }
  }

  async write(data: Uint8Array, offsetBytes: number): Promise<void> {
    const buffer = this.#borrow(data.length + blockSlackBytes);
    try {
      // Direct I/O wants memory and position to agree.
      const slackBytes = offsetBytes % blockSlackBytes;
      const aligned = buffer.subarray(slackBytes, slackBytes + data.length);
      aligned.set(data);
      await this.backend.write(aligned, offsetBytes);
    } finally {
      this.#giveBack(buffer);
    }
  }

  async zero(range: ByteRange): Promise<void> {
    await this.backend.zero(range, { sparse: true });
  }

  async flush(): Promise<void> {
    await this.backend.flush();
  }

  async durable(): Promise<undefined> {
    return undefined;
  }

  async close(): Promise<void> {
    await this.backend.close();
  }

  #borrow(lengthBytes: number): Uint8Array {
    if (lengthBytes > this.#bufferBytes) {
      this.#bufferBytes = lengthBytes;
      this.#buffers = [];
    }
    return this.#buffers.pop() ?? this.#memory.allocate(this.#bufferBytes);
  }

  #giveBack(buffer: Uint8Array): void {
    if (buffer.length === this.#bufferBytes) this.#buffers.push(buffer);
  }
}
