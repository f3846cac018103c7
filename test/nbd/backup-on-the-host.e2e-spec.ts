import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { MiB } from '../../src/base/units.js';
import { patienceMs } from '../support/deadline.js';
import { pinnedNode, projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';
import { NbdDaemon } from './nbd-daemon.js';

describe('a backup on the host', { skip: needs('qemu-nbd', 'qemu-img', 'qemu-io', 'bash') }, () => {
  let daemon: NbdDaemon;
  before(async () => {
    daemon = await NbdDaemon.start();
  });
  after(() => daemon[Symbol.asyncDispose]());

  test('works as docs/backup-on-the-host.md says', async () => {
    const text = await readFile(join(projectRoot, 'docs', 'backup-on-the-host.md'), 'utf8');
    const script = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block).join('\n');
    const folder = daemon.workspace.path('walk-through');
    await mkdir(folder);
    const tool = `"$NODE" "$TOOL" -c "$CONFIGURATION"`;
    // Whatever fails ends the script, and with it the servers that it started.
    const guard = [
      "set -euo pipefail; trap 'kill $(jobs -p) 2>/dev/null || true' EXIT",
      `ovirt-imageioctl() { ${tool} "$@"; }\n`,
    ].join('\n');
    const { stdout } = await promisify(execFile)('bash', ['-c', guard + script], {
      // It starts two dozen programs.
      timeout: 2 * patienceMs,
      cwd: folder,
      env: {
        ...process.env,
        NODE: pinnedNode,
        TOOL: join(projectRoot, 'dist', 'ctl', 'main.js'),
        CONFIGURATION: daemon.fixture.folder.file('daemon'),
      },
    });
    assert.deepEqual(
      stdout.split('\n').filter((line) => /^(copied|Images)/.test(line)),
      [
        'copied 9 MiB, zeroed 0 B, skipped 55 MiB',
        'copied 1.1 MiB, zeroed 1 MiB, skipped 61.9 MiB',
        'copied 8.1 MiB, zeroed 0 B, skipped 55.9 MiB',
        'Images are identical.',
        'copied 9 MiB, zeroed 0 B, skipped 55 MiB',
        'Images are identical.',
      ],
    );
    assert.ok((await stat(join(folder, 'incremental.qcow2'))).size < 4 * MiB);
  });
});
