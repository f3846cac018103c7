import { stat } from 'node:fs/promises';
import {
  RangeSet,
  PreflightError,
  sha256,
  VerificationError,
  type HashingDisk,
  type HttpImage,
  type ReadableDisk,
  type StateStore,
  type TransferProgress,
  type TransferState,
} from '#sdk/transfer';
import { BlockDigests } from '#sdk/transfer/block-digests';
import { checksumOf, verifyTransfer } from '#sdk/transfer/verification';
import { errorCode } from '../base/error-details.js';
import { bytesText } from './report/amounts.js';
import { wireProgress } from './report/json-report.js';
import type { DiskFormat } from '../qemu/disk-format.js';
import { ComparingState, type Identities } from './comparing-state.js';
import { imageLocation, isImageLocation } from './image-location.js';
import { isNbdUrl } from './nbd-place.js';
import { never } from './never.js';
import { LocalDisk } from './local-disk.js';
import { MemoryState } from './memory-state.js';
import type { CommandResult } from './print-result.js';
import { RemoteImage, type RemoteOptions } from './remote-image.js';
import { runTransfer, type TransferSettings } from './run-transfer.js';
import { fileIdentity, placeIdentity, StateFile } from './state-file.js';
import { InputDisk, OutputDisk } from './stream-disk.js';
import { UsageError } from './usage-error.js';

export type { RemoteOptions } from './remote-image.js';

export interface MoveOptions extends RemoteOptions, TransferSettings {
  readonly format?: DiskFormat | undefined;
  readonly resume: 'auto' | 'no';
  readonly state?: string | undefined;
  /** Compares both sides first, and moves only what differs. */
  readonly onlyChanged: boolean;
}

export interface DownloadOptions extends MoveOptions {
  /** Write over a file that has something in it. */
  readonly overwrite: boolean;
}

/** A disk of this host, or what comes in, becomes the image. */
export async function upload(file: string, image: string, options: MoveOptions): Promise<CommandResult> {
  await using remote = await RemoteImage.open(imageLocation(image), options, never);
  const target = remote.image;
  const settings = within(options, target.capabilities.writersMax);
  if (file === '-') {
    refuseComparison(options);
    const input = new InputDisk(process.stdin, await capacityBytes(remote));
    const moved = await runTransfer(input, target, settings);
    await input.end();
    return outcome('uploaded', moved);
  }
  await using source = await LocalDisk.openSource(file, options.format);
  const { sizeBytes } = source.disk;
  const identities = { sourceIdentity: await fileIdentity(file), targetIdentity: remote.identity };
  const kept = stateOf(file, 'upload', options);
  const state = options.onlyChanged ? comparing(target, kept, { sizeBytes, ...identities }, 'target') : kept;
  const moved = await runTransfer(source.disk, target, settings, { state, ...identities });
  return outcome('uploaded', moved);
}

/** How much of what comes in an image takes. */
async function capacityBytes({ image, retrier }: RemoteImage): Promise<number> {
  return retrier.run(never, () => image.capacityBytes(never));
}

/** The image becomes a file of this host, or goes out. */
export async function download(
  image: string,
  file: string,
  options: DownloadOptions,
): Promise<CommandResult> {
  await using remote = await RemoteImage.open(imageLocation(image), options, never);
  const source = remote.image;
  const settings = within(options, source.capabilities.readersMax);
  if (file === '-') {
    refuseComparison(options);
    const output = new OutputDisk(process.stdout, source.sizeBytes);
    await runTransfer(source, output, { ...settings, maxWorkers: 1 });
    // Standard output is the disk.
    return { text: '', json: {} };
  }
  const { format = 'raw', overwrite, onlyChanged } = options;
  const state = stateOf(file, 'download', options);
  const mayExist = overwrite || onlyChanged || (await isTargetOf(await state?.load(), file));
  const { sizeBytes } = source;
  const isCompared = onlyChanged && (await hasContent(file));
  // Whoever is killed now must not take the file for somebody else's afterwards.
  const beforeMade = async (): Promise<void> => {
    const targetIdentity = await placeIdentity(file);
    await state?.save({
      version: 1,
      sizeBytes,
      sourceIdentity: remote.identity,
      targetIdentity,
      durable: [],
    });
  };
  await using target = await LocalDisk.openTarget(file, { format, sizeBytes, mayExist, beforeMade });
  const identities = { sourceIdentity: remote.identity, targetIdentity: await placeIdentity(file) };
  const moved = await runTransfer(source, target.disk, settings, {
    state: isCompared ? comparing(source, state, { sizeBytes, ...identities }, 'source') : state,
    ...identities,
  }).catch(async (error: unknown) => {
    if (error instanceof PreflightError && (await target.discard())) await state?.remove();
    throw error;
  });
  return outcome('downloaded', moved);
}

/** There is something in it that can be compared: not in a file that is still to be made. */
async function hasContent(file: string): Promise<boolean> {
  if (isNbdUrl(file)) return true;
  try {
    const found = await stat(file);
    return !found.isFile() || found.size > 0;
  } catch (error: unknown) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** The file is what an earlier run has written to, and not another one that has its name now. */
export async function isTargetOf(state: TransferState | undefined, file: string): Promise<boolean> {
  if (state === undefined) return false;
  try {
    return state.targetIdentity === (await placeIdentity(file));
  } catch (error: unknown) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** An image becomes another. */
export async function copy(from: string, to: string, options: MoveOptions): Promise<CommandResult> {
  await using source = await RemoteImage.open(imageLocation(from), options, never);
  await using target = await RemoteImage.open(imageLocation(to), options, never);
  const settings = within(
    options,
    Math.min(source.image.capabilities.readersMax, target.image.capabilities.writersMax),
  );
  const identities = { sourceIdentity: source.identity, targetIdentity: target.identity };
  const { sizeBytes } = source.image;
  const more = options.onlyChanged
    ? {
        ...identities,
        state: comparing(target.image, undefined, { sizeBytes, ...identities }, 'target'),
      }
    : {};
  return outcome('copied', await runTransfer(source.image, target.image, settings, more));
}

/** @param kept of an earlier run; undefined where nothing is kept */
function comparing(
  image: HttpImage,
  kept: StateStore | undefined,
  disks: Identities,
  hashing: 'source' | 'target',
): StateStore {
  if (!image.capabilities.extensions.includes('digests'))
    throw new Error('The service tells no digests to compare with: without --only-changed all is moved');
  return new ComparingState(kept ?? new MemoryState(), disks, hashing);
}

function refuseComparison({ onlyChanged }: MoveOptions): void {
  if (onlyChanged)
    throw new UsageError('--only-changed needs a file: what flows by cannot be compared first');
}

/** @throws VerificationError when the disk of this host is not as the image */
export async function verify(
  file: string,
  image: string,
  options: RemoteOptions & { readonly format?: DiskFormat | undefined; readonly blockSize: number },
): Promise<CommandResult> {
  await using remote = await RemoteImage.open(imageLocation(image), options, never);
  await using local = await LocalDisk.openSource(file, options.format);
  const equal = new RangeSet();
  await remote.retrier.run(never, () => compare(local.disk, remote.image, options.blockSize, equal));
  return { text: `${file} and the image are the same`, json: { equal: true } };
}

/** @param equal gets the blocks that are, so that whoever tries again goes on there */
async function compare(
  disk: ReadableDisk,
  image: HashingDisk,
  blockBytes: number,
  equal: RangeSet,
): Promise<void> {
  if (disk.sizeBytes !== image.sizeBytes)
    throw new VerificationError(`The file has ${disk.sizeBytes} bytes, the image ${image.sizeBytes}`, []);
  await verifyTransfer({
    seen: await digestsOf(disk, blockBytes),
    hashing: image,
    other: disk,
    equal,
    signal: never,
    onVerified: () => undefined,
  });
}

/** Of what is known to be zero; the rest is read when it is compared. */
async function digestsOf(disk: ReadableDisk, blockBytes: number): Promise<BlockDigests> {
  const digests = new BlockDigests(sha256, blockBytes, disk.sizeBytes);
  for await (const extent of disk.extents(never)) if (extent.zero) digests.setZero(extent);
  return digests;
}

/** The checksum of an image, or of a disk of this host as a service would tell it. */
export async function checksum(
  place: string,
  options: RemoteOptions & { readonly format?: DiskFormat | undefined; readonly blockSize: number },
): Promise<CommandResult> {
  const { blockSize } = options;
  if (isImageLocation(place)) {
    await using remote = await RemoteImage.open(imageLocation(place), options, never);
    const { image, retrier } = remote;
    const value = await retrier.run(never, () => image.checksum(sha256.algorithm, blockSize, never));
    if (value === undefined) throw new Error('The service has no checksums');
    return checksumResult(value, blockSize);
  }
  return checksumResult((await diskChecksum(place, blockSize, options.format)).checksum, blockSize);
}

/** Of a disk of this host, as a service would tell it, in hex. */
export async function diskChecksum(
  path: string,
  blockBytes: number,
  format?: DiskFormat,
): Promise<{ readonly checksum: string; readonly sizeBytes: number }> {
  await using local = await LocalDisk.openSource(path, format);
  const { disk } = local;
  const seen = await digestsOf(disk, blockBytes);
  const value = await checksumOf({ seen, other: disk, signal: never });
  return { checksum: Buffer.from(value).toString('hex'), sizeBytes: disk.sizeBytes };
}

function checksumResult(value: string, blockBytes: number): CommandResult {
  return { text: value, json: { algorithm: sha256.algorithm, block_size: blockBytes, checksum: value } };
}

export function outcome(verb: string, progress: TransferProgress): CommandResult {
  const { sizeBytes, sentBytes, resumedBytes, verifiedBytes } = progress;
  const verified = verifiedBytes > 0 ? ', verified' : '';
  const resumed = resumedBytes > 0 ? `, ${bytesText(resumedBytes)} there before` : '';
  return {
    text: `${verb} ${bytesText(sizeBytes)}: ${bytesText(sentBytes)} moved${resumed}${verified}`,
    json: wireProgress(progress),
  };
}

/** While storage is busy with some blocks, one more is on its way, and one is being read. */
const workersBesideStorage = 2;

/** No more workers than are of use, by what the service says of its storage. */
export function within(options: TransferSettings, connectionsMax: number): TransferSettings {
  return { ...options, maxWorkers: Math.min(options.maxWorkers, connectionsMax + workersBesideStorage) };
}

function stateOf(
  file: string,
  direction: 'upload' | 'download',
  { resume, state }: MoveOptions,
): StateStore | undefined {
  if (resume === 'no') return undefined;
  return state === undefined ? StateFile.of(file, direction, process.env) : new StateFile(state);
}
