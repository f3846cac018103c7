import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { errorCode } from '../../base/error-details.js';

/**
 * Does `work` while nobody else does any that is remembered in the same file. The lock is an abstract unix
 * socket: the kernel lets go of it however this process ends, so none is left behind that was killed.
 * @throws Error when somebody else does
 */
export async function alone<T>(statePath: string, work: () => Promise<T>): Promise<T> {
  const user = process.getuid?.() ?? '';
  const place = createHash('sha256').update(statePath).digest('hex').slice(0, 32);
  const server = createServer().unref();
  try {
    server.listen(`\0imageio-${user}-${place}`);
    await once(server, 'listening');
  } catch (error: unknown) {
    if (errorCode(error) !== 'EADDRINUSE') throw error;
    throw new Error(
      `The same command is running already, and remembers in ${statePath} how far it is: ` +
        'wait for its end, or name another file with --state',
      { cause: error },
    );
  }
  try {
    return await work();
  } finally {
    server.close();
  }
}
