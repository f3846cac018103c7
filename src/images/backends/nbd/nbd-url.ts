import { StorageError } from '../../../base/errors.js';

/** Where an NBD server listens. */
export type NbdAddress = { readonly socketPath: string } | { readonly host: string; readonly port: number };

export interface NbdLocation {
  readonly address: NbdAddress;
  /** Empty for the server's default export. */
  readonly exportName: string;
}

const defaultPort = 10809;
/** The limit of a string in the protocol. */
const exportNameBytesMax = 4096;
/**
 * `sun_path` has 108 bytes with its final NUL. Node would cut a longer path short and
 * connect to what that names.
 */
const socketPathBytesMax = 107;
const exportNameMark = ':exportname=';

/**
 * Reads every form of an NBD url that a ticket may have (docs/protocol.md, "Image urls"):
 * `nbd:unix:/sock[:exportname=name]`, `nbd:host[:port][:exportname=name]`, taken literally, and
 * `nbd://host[:port][/name]`, `nbd+unix:///[name]?socket=/path`, percent-encoded.
 * @throws StorageError when it is none of these; `cause` has the url
 */
export function parseNbdUrl(url: string): NbdLocation {
  try {
    return requireValid(parse(url));
  } catch (error) {
    const reason = error instanceof StorageError || error instanceof URIError ? error.message : 'malformed';
    throw new StorageError(`Invalid NBD url: ${reason}`, { cause: new Error(url, { cause: error }) });
  }
}

function parse(url: string): NbdLocation {
  if (url.startsWith('nbd+unix:')) return parseUnixUri(url);
  if (url.startsWith('nbd://')) return parseTcpUri(url);
  if (url.startsWith('nbd:unix:')) {
    const [socketPath, exportName] = splitExportName(url.slice('nbd:unix:'.length));
    return { address: { socketPath }, exportName };
  }
  if (url.startsWith('nbd:')) {
    const [authority, exportName] = splitExportName(url.slice('nbd:'.length));
    return { address: parseAuthority(authority), exportName };
  }
  throw new StorageError('unknown scheme');
}

function parseUnixUri(url: string): NbdLocation {
  const match = /^nbd\+unix:\/\/\/([^?#]*)\?([^#]*)$/.exec(url);
  if (match?.[1] === undefined || match[2] === undefined)
    throw new StorageError('expected nbd+unix:///name?socket=path');
  const sockets = match[2].split('&').filter((pair) => pair.startsWith('socket='));
  if (sockets[0] === undefined || sockets.length > 1) throw new StorageError('expected one socket parameter');
  return {
    address: { socketPath: decodeURIComponent(sockets[0].slice('socket='.length)) },
    exportName: decodeURIComponent(match[1]),
  };
}

function parseTcpUri(url: string): NbdLocation {
  const match = /^nbd:\/\/([^/?#]*)(?:\/([^?#]*))?$/.exec(url);
  if (match?.[1] === undefined) throw new StorageError('expected nbd://host:port/name');
  return {
    address: parseAuthority(decodeURIComponent(match[1])),
    exportName: decodeURIComponent(match[2] ?? ''),
  };
}

/** The path may have colons of its own, as QEMU has it: only the mark ends it. */
function splitExportName(text: string): [string, string] {
  const markAt = text.indexOf(exportNameMark);
  if (markAt === -1) return [text, ''];
  return [text.slice(0, markAt), text.slice(markAt + exportNameMark.length)];
}

function parseAuthority(authority: string): NbdAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^:@[\]\s]+))(?::(\d{1,5}))?$/.exec(authority);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new StorageError('expected host:port');
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (port < 1 || port > 65535) throw new StorageError(`port ${port}`);
  return { host, port };
}

function requireValid(location: NbdLocation): NbdLocation {
  const { address, exportName } = location;
  if ('socketPath' in address) {
    const path = address.socketPath;
    if (!path.startsWith('/')) throw new StorageError('the socket path is not absolute');
    if (path.split('/').includes('..')) throw new StorageError('the socket path has a ".." part');
    if (path.includes('\0')) throw new StorageError('the socket path has a NUL');
    if (Buffer.byteLength(path) > socketPathBytesMax) {
      throw new StorageError(`the socket path is longer than ${socketPathBytesMax} bytes`);
    }
  }
  if (Buffer.byteLength(exportName) > exportNameBytesMax) {
    throw new StorageError(`the export name is longer than ${exportNameBytesMax} bytes`);
  }
  return location;
}
