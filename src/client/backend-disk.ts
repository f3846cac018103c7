import type { ByteRange, DiskExtent, Preflight, TransferPlan, WritableDisk } from '#sdk/transfer';
import { sizeFindings } from '#sdk/transfer/preflight';
import type { Backend, StorageRoom } from '../images/backends/backend.js';
import { AlignedMemory, blockSlackBytes, isCongruent, pageBytes } from '../images/buffers/aligned-memory.js';

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
    private readonly room: () => Promise<StorageRoom>,
  ) {
    this.growable = backend.growable;
  }

  /**
   * @param backend is closed with the disk
   * @param room of the storage below it, when the backend is not what has that
   */
  static async of(backend: Backend, room = () => backend.room()): Promise<BackendDisk> {
    return new BackendDisk(backend, await backend.sizeBytes(), room);
  }

  async *extents(signal: AbortSignal): AsyncGenerator<DiskExtent> {
    for await (const list of this.backend.extents('zero')) {
      signal.throwIfAborted();
      for (const { start, length, zero } of list) yield { offsetBytes: start, lengthBytes: length, zero };
    }
  }

  memory(lengthBytes: number): Uint8Array {
    return this.#memory.allocate(lengthBytes);
  }

  async read(target: Uint8Array, offsetBytes: number): Promise<void> {
    const areWholePages = offsetBytes % pageBytes === 0 && target.length % pageBytes === 0;
    if (areWholePages && this.#needsNoCopy(target, offsetBytes)) {
      await this.#readInto(target, offsetBytes, target);
      return;
    }
    const buffer = this.#borrow(target.length + 2 * blockSlackBytes);
    try {
      await this.#readInto(buffer, offsetBytes, target);
    } finally {
      this.#giveBack(buffer);
    }
  }

  /** @param buffer as `Backend.read` wants it; it may be `target` */
  async #readInto(buffer: Uint8Array, offsetBytes: number, target: Uint8Array): Promise<void> {
    const data = await this.backend.read(buffer, { offsetBytes, lengthBytes: target.length });
    if (data.length < target.length) throw new Error('The disk became shorter while it was read');
    if (data.buffer !== target.buffer || data.byteOffset !== target.byteOffset) target.set(data);
  }

  async write(data: Uint8Array, offsetBytes: number): Promise<void> {
    if (this.#needsNoCopy(data, offsetBytes)) {
      await this.backend.write(data, offsetBytes);
      return;
    }
    const buffer = this.#borrow(data.length + blockSlackBytes);
    try {
      const slackBytes = offsetBytes % blockSlackBytes;
      const aligned = buffer.subarray(slackBytes, slackBytes + data.length);
      aligned.set(data);
      await this.backend.write(aligned, offsetBytes);
    } finally {
      this.#giveBack(buffer);
    }
  }

  /** Direct I/O wants memory and position to agree. */
  #needsNoCopy(memory: Uint8Array, offsetBytes: number): boolean {
    return isCongruent(memory, offsetBytes, this.backend.blockSizeBytes);
  }

  async zero(range: ByteRange): Promise<void> {
    await this.backend.zero(range, { sparse: true });
  }

  async flush(): Promise<void> {
    await this.backend.flush();
  }

  async preflight({ op, sizeBytes }: TransferPlan): Promise<Preflight | undefined> {
    if (op === 'read') return undefined;
    const { allocatedBytes, freeBytes } = await this.room();
    const missingBytes = sizeBytes - (allocatedBytes ?? 0);
    const findings = sizeFindings({ sizeBytes }, this);
    // Zeroes need no room: they are made holes.
    if (freeBytes !== undefined && missingBytes > freeBytes)
      findings.push({
        code: 'no_space',
        severity: 'warning',
        message: `The disk may need ${missingBytes} more bytes, the storage has ${freeBytes} free`,
        advice: 'Check that what is not zero fits, or make room on the storage.',
      });
    return { findings, allocatedBytes, freeBytes };
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
