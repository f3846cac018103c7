import {
  RangeSet,
  type BlockDigest,
  type ByteRange,
  type DiskExtent,
  type DurableRanges,
  type HashingDisk,
  type HttpImage,
  type WritableDisk,
} from '#sdk/transfer';
import { KiB } from '../../base/units.js';

/** Of the qcow2 files that qemu-img makes. What is written to a part of a cluster covers all of it. */
const clusterBytes = 64 * KiB;

/**
 * The uppermost layer of a disk: what it has nothing of is left out, and zeroes that it has are data, because
 * they cover what is below.
 */
export class LayerDisk implements HashingDisk {
  readonly sizeBytes: number;

  private constructor(
    private readonly image: HttpImage,
    private readonly list: readonly DiskExtent[],
    private readonly holes: RangeSet,
  ) {
    this.sizeBytes = image.sizeBytes;
  }

  /** @throws Error when the layer has smaller parts than the file can have */
  static async of(image: HttpImage, signal: AbortSignal): Promise<LayerDisk> {
    const list: DiskExtent[] = [];
    const holes = new RangeSet();
    for await (const extent of image.extents(signal)) {
      if (extent.offsetBytes % clusterBytes !== 0)
        throw new Error(`The layer has parts that are smaller than ${clusterBytes} bytes`);
      list.push({ ...extent, zero: extent.hole === true });
      if (extent.hole === true) holes.add(extent);
    }
    return new LayerDisk(image, list, holes);
  }

  async *extents(): AsyncGenerator<DiskExtent> {
    yield* this.list;
  }

  read(target: Uint8Array, offsetBytes: number, signal: AbortSignal): Promise<void> {
    return this.image.read(target, offsetBytes, signal);
  }

  digests(...args: Parameters<HashingDisk['digests']>): Promise<AsyncIterable<BlockDigest> | undefined> {
    return this.image.digests(...args);
  }

  checksum(...args: Parameters<HashingDisk['checksum']>): Promise<string | undefined> {
    return this.image.checksum(...args);
  }

  close(): Promise<void> {
    return this.image.close();
  }

  /** A disk that gets nothing where the layer has nothing. It stays the caller's to close. */
  onto(target: WritableDisk): WritableDisk {
    return new LayerTarget(target, this.holes);
  }
}

class LayerTarget implements WritableDisk {
  readonly growable: boolean;
  readonly sizeBytes: number;

  constructor(
    private readonly target: WritableDisk,
    private readonly holes: RangeSet,
  ) {
    ({ growable: this.growable, sizeBytes: this.sizeBytes } = target);
  }

  extents(signal: AbortSignal): AsyncIterable<DiskExtent> {
    return this.target.extents(signal);
  }

  read(target: Uint8Array, offsetBytes: number, signal: AbortSignal): Promise<void> {
    return this.target.read(target, offsetBytes, signal);
  }

  async write(data: Uint8Array, offsetBytes: number, signal: AbortSignal): Promise<void> {
    for (const part of this.holes.gaps({ offsetBytes, lengthBytes: data.length })) {
      const start = part.offsetBytes - offsetBytes;
      await this.target.write(data.subarray(start, start + part.lengthBytes), part.offsetBytes, signal);
    }
  }

  async zero(range: ByteRange, signal: AbortSignal): Promise<void> {
    for (const part of this.holes.gaps(range)) await this.target.zero(part, signal);
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.target.flush(signal);
  }

  durable(signal: AbortSignal): Promise<DurableRanges | undefined> {
    return this.target.durable(signal);
  }

  close(): Promise<void> {
    return this.target.close();
  }
}
