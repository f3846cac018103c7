import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cp, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { sha256OfFile, writeRandomImage } from '../support/images.js';
import { Program } from '../support/program.js';
import { projectRoot } from '../support/project.js';
import { programPath } from '../support/requirements.js';
import { startDocumentedCommands, writeDocumentedPrograms } from './documented-program.js';

const sdk = join(projectRoot, 'sdk', 'go');
const buildMsMax = 240_000;

/**
 * For the `skip` option of node:test: modules that are not here are fetched now, so
 * that what fails later is a fault.
 */
function needsGoModules(): string | false {
  const go = programPath('go');
  if (go === undefined) return 'needs go, which this machine does not have';
  const { status } = spawnSync(go, ['mod', 'download'], { cwd: sdk, timeout: buildMsMax });
  return status === 0 ? false : 'needs Go modules, which cannot be fetched here, or a later version of go';
}

describe('the generated Go client', { skip: needsGoModules() }, () => {
  let deployment: Deployment;

  before(async () => {
    deployment = await Deployment.start();
    const clone = deployment.folder.file('clone');
    for (const folder of ['openapi', 'sdk/go'])
      await cp(join(projectRoot, folder), join(clone, folder), { recursive: true });
    await succeed(await startDocumentedCommands('go.md', { cwd: clone }));
    const folder = deployment.folder.file('transfer');
    await writeDocumentedPrograms('go.md', folder);
    await succeed(await Program.start('go', ['build', '-o', 'transfer'], { cwd: folder }));
  });
  after(() => deployment[Symbol.asyncDispose]());

  test('takes a ticket from its beginning to its end with the documented program', async () => {
    const [source, target] = [deployment.folder.file('source'), deployment.folder.file('target')];
    await writeRandomImage(source, MiB);
    await (await open(target, 'w')).close();
    const ticketId = randomUUID();
    const control = deployment.daemon.address('control');
    assert.ok(control.kind === 'unix');
    const program = await Program.start(deployment.folder.file('transfer/transfer'), [
      ...[deployment.daemon.url, deployment.proxy.url, deployment.folder.file('ca.pem'), control.path],
      ...[ticketId, source, target, deployment.signTicket(ticketId)],
    ]);
    assert.equal((await program.waitForExit()).code, 0, program.lastLines());
    const zeroes = Buffer.alloc(4096);
    assert.ok((await readFile(target)).subarray(0, 4096).equals(zeroes));
    const rest = { offsetBytes: 4096, lengthBytes: MiB - 4096 };
    assert.equal(await sha256OfFile(target, rest), await sha256OfFile(source, rest));
    assert.deepEqual(await deployment.daemon.vdsm.listTickets(), []);
  });
});

async function succeed(program: Program): Promise<void> {
  const { code } = await program.waitForExit(buildMsMax);
  assert.equal(code, 0, program.lastLines(40));
}
