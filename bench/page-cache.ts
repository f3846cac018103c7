import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Drops a file from the page cache (posix_fadvise(2), which Node lacks), so that no write has pages to
 * invalidate first.
 */
export async function dropFromPageCache(file: string): Promise<void> {
  await run('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
}
