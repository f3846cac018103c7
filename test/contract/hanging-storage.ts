import { MiB } from '../../src/base/units.js';
import { missing, type Workspace } from '../nbd/servers.js';

/** For the `skip` option of node:test. */
export function needsHangingStorage(): string | false {
  return missing('nbdkit');
}

/** An image that opens like others, and whose writes and zeroes do not end as long as the tests last. */
export async function hangingStorage(workspace: Workspace): Promise<{ url: string; sizeBytes: number }> {
  const sizeBytes = 16 * MiB;
  const { url } = await workspace.nbdkit(
    '--filter=delay',
    'memory',
    `${sizeBytes}`,
    'delay-zero=3600',
    'delay-write=3600',
  );
  return { url, sizeBytes };
}
