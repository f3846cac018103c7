/**
 * The capabilities without `unix_socket`: it is a socket of the daemon's host, and a client that shares an
 * address with the proxy would look for it on its own. What is not such a JSON object stays as it is.
 */
export function withoutUnixSocket(body: Buffer): Buffer {
  let capabilities: unknown;
  try {
    capabilities = JSON.parse(body.toString('utf8'));
  } catch {
    return body;
  }
  if (typeof capabilities !== 'object' || capabilities === null || !('unix_socket' in capabilities))
    return body;
  delete capabilities.unix_socket;
  return Buffer.from(JSON.stringify(capabilities));
}
