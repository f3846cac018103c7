import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/units.js';
import { Deployment } from '../e2e/deployment.js';
import { sha256OfFile, writeRandomImage } from '../support/images.js';
import { Program } from '../support/program.js';
import { projectRoot } from '../support/project.js';
import { programPath } from '../support/requirements.js';
import { writeDocumentedPrograms } from './documented-program.js';

const sdk = join(projectRoot, 'sdk', 'go');
const buildMsMax = 240_000;

/** For the `skip` option of node:test: modules that are not here are fetched now, so that what fails later is a fault. */
function needsGoModules(): string | false {
  const go = programPath('go');
  if (go === undefined) return 'needs go, which this machine does not have';
  const { status } = spawnSync(go, ['mod', 'download'], { cwd: sdk, timeout: buildMsMax });
  return status === 0 ? false : 'needs Go modules, which cannot be fetched here, or a later version of go';
}

describe('the generated Go client', { skip: needsGoModules() }, () => {
  let deployment: Deployment;

  const go = async (...args: string[]): Promise<Program> => {
    const program = await Program.start('go', args, { cwd: deployment.folder.file('go') });
    const { code } = await program.waitForExit(buildMsMax);
    assert.equal(code, 0, program.lastLines(40));
    return program;
  };

  before(async () => {
    deployment = await Deployment.start();
    const folder = deployment.folder.file('go');
    await mkdir(folder);
    for (const file of ['go.mod', 'go.sum']) await copyFile(join(sdk, file), join(folder, file));
    await writeDocumentedPrograms('go.md', folder);
    for (const name of ['daemon', 'control', 'proxy']) {
      await mkdir(join(folder, name));
      const options = ['-generate', 'types,client', '-package', name, '-o', join(name, 'client.go')];
      await go('tool', 'oapi-codegen', ...options, join(projectRoot, 'openapi', `${name}.json`));
    }
    await go('build', '-o', 'transfer', '.');
  });
  after(() => deployment[Symbol.asyncDispose]());

  test('takes a ticket from its beginning to its end with the documented program', async () => {
    const [source, target] = [deployment.folder.file('source'), deployment.folder.file('target')];
    await writeRandomImage(source, MiB);
    await (await open(target, 'w')).close();
    const ticketId = randomUUID();
    const control = deployment.daemon.address('control');
    assert.ok(control.kind === 'unix');
    const program = await Program.start(deployment.folder.file('go/transfer'), [
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
