import { NbdConnectionError, NbdProtocolError } from './nbd-errors.js';
import {
  type BlockSizes,
  decodeBlockSizes,
  decodeExportBasics,
  decodeGreeting,
  decodeInfoExport,
  decodeInfoType,
  decodeMetaContext,
  decodeOptionReplyHeader,
  encodeClientFlags,
  encodeGo,
  encodeMetaContextQueries,
  encodeOption,
  exportFlag,
  type ExportBasics,
  exportNamePaddingBytes,
  exportNameReplyBytes,
  greetingBytes,
  handshakeFlag,
  infoType,
  type MetaContext,
  optionError,
  type OptionName,
  optionReply,
  optionReplyHeaderBytes,
} from './nbd-option-codec.js';

/** Bytes of the server, and a way to answer: what a handshake needs of a connection. */
export interface HandshakeChannel {
  read(lengthBytes: number): Promise<Buffer>;
  send(bytes: Buffer): void;
}

export interface NbdExport {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly canFlush: boolean;
  /** All connections see the same, and a flush on one of them is good for all. */
  readonly canMultiConn: boolean;
  readonly canWriteZeroes: boolean;
  readonly blockSizes: BlockSizes;
  /** Replies to READ come in chunks. */
  readonly structuredReplies: boolean;
  /** What BLOCK_STATUS reports, by the ids of this connection. */
  readonly contexts: MetaContextIds;
}

export interface MetaContextIds {
  /** `base:allocation` */
  readonly allocation?: number;
  /** `qemu:allocation-depth` */
  readonly depth?: number;
  /** The only `qemu:dirty-bitmap:` of the export. */
  readonly dirtyBitmap?: number;
}

/** A client that got no maximum from the server must not send or ask for more data in one request. */
export const payloadBytesDefaultMax = 32 * 1024 * 1024;

const allocationContext = 'base:allocation';
const depthContext = 'qemu:allocation-depth';
const dirtyBitmapNamespace = 'qemu:dirty-bitmap:';
const repliesMax = 64;

/**
 * Brings a new connection to the transmission phase for one export: fixed newstyle with NBD_OPT_GO, or
 * NBD_OPT_EXPORT_NAME for servers that do not know that.
 * @param options.dirtyBitmap also select the export's dirty bitmap
 * @throws NbdConnectionError when the export cannot be had
 */
export async function negotiate(
  channel: HandshakeChannel,
  { exportName, dirtyBitmap }: { readonly exportName: string; readonly dirtyBitmap: boolean },
): Promise<NbdExport> {
  const serverFlags = decodeGreeting(await channel.read(greetingBytes));
  const flags = serverFlags & (handshakeFlag.fixedNewstyle | handshakeFlag.noZeroes);
  channel.send(encodeClientFlags(flags));
  const noZeroes = (flags & handshakeFlag.noZeroes) !== 0;
  if ((flags & handshakeFlag.fixedNewstyle) === 0) {
    // Without "fixed", a server may hang up on any option but this.
    return exportOf(await askByExportName(channel, exportName, noZeroes), false, {});
  }
  const structuredReplies = await askForStructuredReplies(channel);
  const contexts = structuredReplies ? await selectContexts(channel, exportName, dirtyBitmap) : {};
  const basics =
    (await askByGo(channel, exportName)) ?? (await askByExportName(channel, exportName, noZeroes));
  return exportOf(basics, structuredReplies, contexts);
}

interface ExportAnswer extends ExportBasics {
  readonly blockSizes?: BlockSizes;
}

function exportOf(answer: ExportAnswer, structuredReplies: boolean, contexts: MetaContextIds): NbdExport {
  const flags = (answer.flags & exportFlag.hasFlags) === 0 ? 0 : answer.flags;
  const { minimumBytes, maximumBytes } = answer.blockSizes ?? {
    minimumBytes: 1,
    maximumBytes: payloadBytesDefaultMax,
  };
  const cappedBytes = Math.min(maximumBytes, payloadBytesDefaultMax);
  return {
    sizeBytes: answer.sizeBytes,
    readOnly: (flags & exportFlag.readOnly) !== 0,
    canFlush: (flags & exportFlag.sendFlush) !== 0,
    canMultiConn: (flags & exportFlag.canMultiConn) !== 0,
    canWriteZeroes: (flags & exportFlag.sendWriteZeroes) !== 0,
    blockSizes: { minimumBytes, maximumBytes: cappedBytes - (cappedBytes % minimumBytes) },
    structuredReplies,
    contexts,
  };
}

async function askForStructuredReplies(channel: HandshakeChannel): Promise<boolean> {
  const { error } = await ask(channel, 'structuredReply', Buffer.alloc(0));
  return error === undefined;
}

async function selectContexts(
  channel: HandshakeChannel,
  exportName: string,
  dirtyBitmap: boolean,
): Promise<MetaContextIds> {
  const bitmap = dirtyBitmap ? await findDirtyBitmap(channel, exportName) : undefined;
  const wanted = [allocationContext, depthContext, ...(bitmap === undefined ? [] : [bitmap])];
  const contexts = await askForContexts(channel, 'setMetaContext', exportName, wanted);
  const idOf = (name: string | undefined): number | undefined =>
    contexts.find((context) => context.name === name)?.id;
  const [allocation, depth, dirty] = [idOf(allocationContext), idOf(depthContext), idOf(bitmap)];
  return {
    ...(allocation !== undefined && { allocation }),
    ...(depth !== undefined && { depth }),
    ...(dirty !== undefined && { dirtyBitmap: dirty }),
  };
}

async function findDirtyBitmap(channel: HandshakeChannel, exportName: string): Promise<string | undefined> {
  const contexts = await askForContexts(channel, 'listMetaContext', exportName, [dirtyBitmapNamespace]);
  const bitmaps = contexts.filter(({ name }) => name.startsWith(dirtyBitmapNamespace));
  if (bitmaps.length > 1) {
    throw new NbdConnectionError(
      `The export has ${bitmaps.length} dirty bitmaps, which one is meant cannot be known`,
    );
  }
  return bitmaps[0]?.name;
}

/**
 * A server that cannot do contexts, or does not know the export, has none; the latter
 * shows up again when it is opened.
 */
async function askForContexts(
  channel: HandshakeChannel,
  name: 'listMetaContext' | 'setMetaContext',
  exportName: string,
  queries: readonly string[],
): Promise<MetaContext[]> {
  const { replies, error } = await ask(channel, name, encodeMetaContextQueries(exportName, queries));
  if (error !== undefined) return [];
  return replies
    .filter(({ type }) => type === optionReply.metaContext)
    .map(({ payload }) => decodeMetaContext(payload));
}

/** @returns undefined when the server does not know NBD_OPT_GO */
async function askByGo(channel: HandshakeChannel, exportName: string): Promise<ExportAnswer | undefined> {
  const { replies, error } = await ask(channel, 'go', encodeGo(exportName));
  if (error?.type === optionError.unsupported) return undefined;
  if (error?.type === optionError.unknownExport) {
    throw new NbdConnectionError('The NBD server has no export of this name', {
      cause: error.cause,
      trouble: 'export_missing',
    });
  }
  if (error !== undefined) {
    const code = error.type.toString(16);
    throw new NbdConnectionError(`The NBD server refused the export with error 0x${code}`, {
      cause: error.cause,
    });
  }
  const infos = replies.filter(({ type }) => type === optionReply.info).map(({ payload }) => payload);
  const exportInfo = infos.find((payload) => decodeInfoType(payload) === infoType.export);
  if (exportInfo === undefined) throw new NbdProtocolError('an export without a size');
  const blockSizeInfo = infos.find((payload) => decodeInfoType(payload) === infoType.blockSize);
  return {
    ...decodeInfoExport(exportInfo),
    ...(blockSizeInfo !== undefined && { blockSizes: decodeBlockSizes(blockSizeInfo) }),
  };
}

/** A server has no way to refuse this but closing the connection. */
async function askByExportName(
  channel: HandshakeChannel,
  exportName: string,
  noZeroes: boolean,
): Promise<ExportAnswer> {
  channel.send(encodeOption('exportName', Buffer.from(exportName)));
  const answer = await channel.read(exportNameReplyBytes + (noZeroes ? 0 : exportNamePaddingBytes));
  return decodeExportBasics(answer, 0);
}

interface OptionAnswer {
  readonly replies: readonly { readonly type: number; readonly payload: Buffer }[];
  /** Set when the server refused the option. `cause` has its words. */
  readonly error?: { readonly type: number; readonly cause: Error };
}

/** Sends an option and reads its replies until the one that ends them. */
async function ask(channel: HandshakeChannel, name: OptionName, data: Buffer): Promise<OptionAnswer> {
  channel.send(encodeOption(name, data));
  const replies: { type: number; payload: Buffer }[] = [];
  while (replies.length < repliesMax) {
    const { type, isError, payloadBytes } = decodeOptionReplyHeader(
      name,
      await channel.read(optionReplyHeaderBytes),
    );
    const payload = await channel.read(payloadBytes);
    if (type === optionError.tlsRequired) {
      throw new NbdConnectionError('The NBD server requires TLS, which is not supported');
    }
    if (isError) return { replies, error: { type, cause: new Error(payload.toString()) } };
    if (type === optionReply.acknowledge) return { replies };
    replies.push({ type, payload });
  }
  throw new NbdProtocolError(`more than ${repliesMax} replies to an option`);
}
