import { extensions } from '../../contract/extensions.js';

/**
 * The capabilities of an image as a client behind the relay has them (docs/protocol.md, "Capabilities"):
 * without `unix_socket`, which is a socket of the daemon's host, and a client that shares an address with
 * the proxy would look for it on its own; and of the extensions those that are relayed, since the daemon may
 * be newer. What is not such a JSON object stays as it is.
 */
export function relayedCapabilities(body: Buffer): Buffer {
  let capabilities: unknown;
  try {
    capabilities = JSON.parse(body.toString('utf8'));
  } catch {
    return body;
  }
  if (typeof capabilities !== 'object' || capabilities === null) return body;
  if (!('unix_socket' in capabilities || 'extensions' in capabilities)) return body;
  const relayed: Capabilities = capabilities;
  delete relayed.unix_socket;
  const { extensions: announced } = relayed;
  if (Array.isArray(announced)) relayed.extensions = extensions.filter((word) => announced.includes(word));
  else delete relayed.extensions;
  return Buffer.from(JSON.stringify(relayed));
}

interface Capabilities {
  unix_socket?: unknown;
  extensions?: unknown;
}
