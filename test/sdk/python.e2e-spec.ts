import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { delimiter, dirname, join } from 'node:path';
import { cp, open } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { assertSameImage, writeRandomImage } from '../support/images.js';
import { Program } from '../support/program.js';
import { projectRoot } from '../support/project.js';
import { needsPythonTool, pythonTool } from '../support/python-tools.js';
import { startDocumentedCommands, writeDocumentedPrograms } from './documented-program.js';

const imageBytes = 64 * MiB + 12_345;
const uploadLinesMax = 20;

describe('the generated Python client', { skip: needsPythonTool('openapi-python-client') }, () => {
  let deployment: Deployment;
  let programs: Map<string, string>;
  let authority: string;

  const run = async (command: string, ...args: string[]): Promise<void> => {
    await succeed(await Program.start(pythonTool(command), args, { cwd: deployment.folder.path }));
  };

  before(async () => {
    deployment = await Deployment.start();
    authority = deployment.folder.file('ca.pem');
    programs = await writeDocumentedPrograms('python.md', deployment.folder.path);
    await cp(join(projectRoot, 'openapi'), deployment.folder.file('openapi'), { recursive: true });
    const path = [dirname(pythonTool('openapi-python-client')), process.env['PATH']].join(delimiter);
    await succeed(
      await startDocumentedCommands('python.md', { cwd: deployment.folder.path, env: { PATH: path } }),
    );
  });
  after(() => deployment[Symbol.asyncDispose]());

  test('uploads and downloads an image with the documented programs', async () => {
    const [source, target, copy] = ['source', 'target', 'copy'].map((name) => deployment.folder.file(name));
    await writeRandomImage(source!, imageBytes);
    await (await open(target!, 'w')).close();
    const ticketId = await deployment.addTicket('write', target!, imageBytes);
    await run('python', 'upload.py', deployment.daemon.url, authority, ticketId, source!);
    await assertSameImage(target!, source!);
    await run('python', 'download.py', deployment.daemon.url, authority, ticketId, copy!);
    await assertSameImage(copy!, source!);
  });

  test(`needs less than ${uploadLinesMax} lines for an upload`, () => {
    assert.ok((programs.get('upload.py') ?? '').trimEnd().split('\n').length < uploadLinesMax);
  });

  test('takes a ticket from its beginning to its end with the documented program', async () => {
    const image = deployment.folder.file('image');
    await (await open(image, 'w')).close();
    const ticketId = randomUUID();
    const control = deployment.daemon.address('control');
    assert.ok(control.kind === 'unix');
    await run(
      ...(['python', 'transfer.py', deployment.daemon.url, deployment.proxy.url, authority] as const),
      ...[control.path, ticketId, image, deployment.signTicket(ticketId)],
    );
    assert.equal((await deployment.daemon.vdsm.request('GET', `/tickets/${ticketId}`)).status, 404);
  });
});

async function succeed(program: Program): Promise<void> {
  const { code } = await program.waitForExit(120_000);
  assert.equal(code, 0, program.lastLines(40));
}
