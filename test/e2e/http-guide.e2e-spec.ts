import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { MiB } from '../../src/base/units.js';
import { patienceMs } from '../support/deadline.js';
import { projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { DaemonUnderTest } from './daemon-under-test.js';

const run = promisify(execFile);

/** All blocks of a language of a page, as one program. */
async function programOf(page: string, language: string): Promise<string> {
  const text = await readFile(join(projectRoot, 'docs', page), 'utf8');
  const blocks = text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'));
  return [...blocks].map(([, block]) => block).join('\n');
}

describe('the guides to the HTTP API', { skip: needs('bash', 'curl', 'jq', 'openssl', 'python3') }, () => {
  let fixture: DaemonUnderTest;
  let folder: TemporaryFolder;
  before(async () => {
    fixture = await DaemonUnderTest.start();
    folder = await TemporaryFolder.create();
  });
  after(async () => {
    await fixture[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const runPage = async (page: string): Promise<string> => {
    const control = fixture.daemon.address('control');
    assert.ok(control.kind === 'unix');
    const { stdout } = await run('bash', ['-c', `set -euo pipefail\n${await programOf(page, 'sh')}`], {
      timeout: patienceMs,
      cwd: folder.path,
      maxBuffer: 16 * MiB,
      env: {
        ...process.env,
        DAEMON: fixture.daemon.url,
        CONTROL: control.path,
        CA: fixture.pki.caFile,
      },
    });
    return stdout;
  };

  test('docs/http-api.md does what it says', async () => {
    const stdout = await runPage('http-api.md');
    for (const told of [
      /"features":/,
      /"findings":/,
      /"zero":true/,
      /"digest":/,
      /"ranges":/,
      /event: progress/,
    ])
      assert.match(stdout, told);
    assert.match(stdout, /"state":"done"/);
    assert.match(stdout, /403\s*$/);
    assert.deepEqual(await fixture.vdsm.listTickets(), []);
    const disk = await readFile(folder.file('disk.raw'));
    // What the page sent last is at the beginning, and behind it what it sent first.
    assert.ok(disk.subarray(0, MiB).equals(await readFile(folder.file('part.raw'))));
    const source = await readFile(folder.file('source.raw'));
    assert.ok(disk.subarray(MiB, 4 * MiB).equals(source.subarray(MiB, 4 * MiB)));
    assert.ok(!disk.subarray(8 * MiB, 40 * MiB).some(Boolean));
  });

  test('docs/unix-socket.md does what it says', async () => {
    await runPage('unix-socket.md');
    assert.ok((await readFile(folder.file('copy.raw'))).equals(await readFile(folder.file('disk.raw'))));
    const data = randomBytes(2 * MiB);
    const image = await fixture.addImage(data, { ops: ['read'] });
    const address = fixture.daemon.address('local');
    assert.ok(address.kind === 'unix');
    const program = folder.file('read.py');
    const call = `open("part", "wb").write(read(${JSON.stringify(address.path)}, "${image.id}", 4096, 1000))`;
    await writeFile(program, `${await programOf('unix-socket.md', 'python')}\n\n${call}\n`);
    await run('python3', [program], { cwd: folder.path, timeout: patienceMs });
    assert.ok((await readFile(folder.file('part'))).equals(data.subarray(4096, 5096)));
  });
});
