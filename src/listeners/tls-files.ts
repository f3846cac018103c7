import { readFileSync } from 'node:fs';
import type { TlsConfig } from '../config/sections/tls.js';
import type { ServerTls } from './http-listener.js';

/** Reads what the remote listener shows to its clients; undefined when TLS is off. @throws Error naming the option whose file cannot be read */
export function readServerTls(tls: TlsConfig): ServerTls | undefined {
  if (!tls.enable) return undefined;
  return {
    key: readFile('key_file', tls.keyFile),
    cert: readFile('cert_file', tls.certFile),
    minVersion: tls.enableTls11 ? 'TLSv1.1' : 'TLSv1.2',
  };
}

function readFile(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error: unknown) {
    throw new Error(`Cannot read [tls] ${option}`, { cause: error });
  }
}
