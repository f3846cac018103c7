import { stat, truncate } from 'node:fs/promises';
import { TransferError, type HttpImage, type StateStore, type TransferProgress } from '#sdk/transfer';
import { errorCode } from '../../base/error-details.js';
import { isTargetOf, outcome, within } from '../commands.js';
import { detectFormat, type DiskFormat } from '../../qemu/disk-format.js';
import { LocalDisk } from '../local-disk.js';
import { never } from '../never.js';
import type { CommandResult } from '../print-result.js';
import { runTransfer } from '../run-transfer.js';
import { fileIdentity, placeIdentity, StateFile } from '../state-file.js';
import { UsageError } from '../usage-error.js';
import { alone } from './alone.js';
import { diskFor, type DiskOptions } from './disk-to-upload.js';
import type { NewDisk } from './engine-api.js';
import { EngineMove, type DiskJob, type Memory } from './engine-move.js';
import { inSession, type EngineSession, type SessionOptions } from './engine-session.js';
import type { ImageTransfer } from './image-transfer.js';
import { LayerDisk } from './layer-disk.js';
import { RecordFile } from './transfer-record.js';

interface ResumeOptions {
  readonly resume: 'auto' | 'no';
  readonly state?: string | undefined;
}

export interface UploadDiskOptions extends SessionOptions, DiskOptions, ResumeOptions {
  readonly fileFormat?: DiskFormat | undefined;
}

export interface DownloadDiskOptions extends SessionOptions, ResumeOptions {
  readonly format: 'raw' | 'qcow2';
  readonly backupId?: string | undefined;
  readonly shallow: boolean;
}

/** A file becomes a new disk of the engine. */
export async function uploadDisk(file: string, options: UploadDiskOptions): Promise<CommandResult> {
  // What cannot be read is found out before anybody is asked anything.
  const fileFormat = options.fileFormat ?? (await detectFormat(file));
  await using source = await LocalDisk.openSource(file, fileFormat);
  return await inSession(options, 'inspecting image', async (session) => {
    const wanted = await diskFor(file, { fileFormat, sizeBytes: source.disk.sizeBytes }, options);
    const { storageDomain, name, format } = wanted;
    const purpose = ['upload-disk', session.access.url, storageDomain, name, format, options.diskId ?? ''];
    const job = uploadJob(file, source, { session, wanted, options });
    const { diskId, moved } = await run(session, job, memoryOf(file, purpose, options), options);
    return resultOf('uploaded', diskId, moved);
  });
}

function uploadJob(
  file: string,
  source: LocalDisk,
  command: { session: EngineSession; wanted: NewDisk; options: UploadDiskOptions },
): DiskJob {
  const { session, wanted, options } = command;
  return {
    direction: 'upload',
    movingStep: 'uploading image',
    wanted: {},
    diskId: wanted.id,
    async prepare(signal) {
      session.steps.begin('creating disk');
      if (options.diskId !== undefined && (await session.api.disk(wanted.id, signal)) !== undefined)
        throw new TransferError(`The engine has a disk ${wanted.id} already`, {
          status: 409,
          retryable: false,
        });
    },
    async makeDisk(signal) {
      await session.api.addDisk(wanted, signal);
    },
    storageDomain: async () => wanted.storageDomain,
    async move(image, transfer, state) {
      const settings = { ...within(options, image.capabilities.writersMax), log: session.log };
      const identities = {
        sourceIdentity: await fileIdentity(file),
        targetIdentity: `transfer ${transfer.id}`,
      };
      const report = session.steps.report();
      return runTransfer(source.disk, image, settings, { state, ...identities }, report);
    },
  };
}

/** A disk of the engine becomes a file, in the place of what was there. */
export async function downloadDisk(
  diskId: string,
  file: string,
  options: DownloadDiskOptions,
): Promise<CommandResult> {
  const { format, shallow, backupId } = options;
  if (shallow && format !== 'qcow2')
    throw new UsageError('--shallow makes a layer, which only a qcow2 file can be');
  return inSession(options, 'creating transfer', async (session) => {
    const purpose = ['download-disk', session.access.url, diskId, format, backupId ?? '', String(shallow)];
    const memory = memoryOf(file, purpose, options);
    const job: DiskJob = {
      direction: 'download',
      movingStep: 'downloading image',
      wanted: { backupId, ...(shallow ? { shallow } : {}) },
      diskId,
      prepare: async () => undefined,
      makeDisk: async () => undefined,
      async storageDomain(id, signal) {
        const [domain] = (await session.api.disk(id, signal))?.storageDomainIds ?? [];
        return domain === undefined ? undefined : session.api.storageDomainName(domain, signal);
      },
      move: (image, transfer, state) => receive(image, file, { transfer, state, options, session }),
    };
    const { moved } = await run(session, job, memory, options);
    return resultOf('downloaded', diskId, moved);
  });
}

async function run(
  session: EngineSession,
  job: DiskJob,
  memory: Memory,
  { resume }: ResumeOptions,
): ReturnType<EngineMove['run']> {
  return alone(memory.state.path, () => new EngineMove(session, job, memory, resume === 'auto').run());
}

async function receive(
  image: HttpImage,
  file: string,
  command: {
    readonly transfer: ImageTransfer;
    readonly state: StateStore;
    readonly options: DownloadDiskOptions;
    readonly session: EngineSession;
  },
): Promise<TransferProgress> {
  const { transfer, state, options, session } = command;
  const { format, shallow } = options;
  if (!(await isTargetOf(await state.load(), file))) {
    await state.remove();
    await emptyFile(file);
  }
  await using target = await LocalDisk.openTarget(file, {
    format,
    sizeBytes: image.sizeBytes,
    mayExist: true,
    // It is written over whatever there is, so a kill now leaves nothing in the way.
    beforeMade: async () => undefined,
  });
  const settings = { ...within(options, image.capabilities.readersMax), log: session.log };
  const identities = {
    // While there is a transfer nobody else writes to the disk.
    sourceIdentity: `transfer ${transfer.id}`,
    targetIdentity: await placeIdentity(file),
  };
  const more = { state, ...identities };
  const report = session.steps.report();
  if (!shallow) return await runTransfer(image, target.disk, settings, more, report);
  const layer = await LayerDisk.of(image, never);
  return await runTransfer(layer, layer.onto(target.disk), { ...settings, sparse: false }, more, report);
}

/** What a file has, of whatever size and format, is in the way of a new disk. A block device is no file. */
async function emptyFile(file: string): Promise<void> {
  try {
    if ((await stat(file)).isFile()) await truncate(file, 0);
  } catch (error: unknown) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

function memoryOf(file: string, purpose: readonly string[], { state: path }: ResumeOptions): Memory {
  const words = purpose.join(' ');
  const state = path === undefined ? StateFile.of(file, words, process.env) : new StateFile(path);
  return { state, records: new RecordFile(`${state.path}.engine`, words) };
}

function resultOf(verb: string, diskId: string, moved: TransferProgress | undefined): CommandResult {
  const { text, json } = moved === undefined ? { text: verb, json: {} } : outcome(verb, moved);
  return { text: `${text}\ndisk ${diskId}`, json };
}
