import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { copyFile, cp, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { sha256OfFile, writeRandomImage } from '../support/images.js';
import { Program } from '../support/program.js';
import { projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';
import { startDocumentedCommands, writeDocumentedPrograms } from './documented-program.js';

const buildMsMax = 240_000;
const unresolved = /Could not (resolve|transfer)|PluginResolutionException|Unknown host/;

describe('the generated Java client', { skip: needs('mvn', 'java', 'javac') }, () => {
  let deployment: Deployment;
  let project: string;
  /** Why it could not be built, which is no fault of ours. */
  let unavailable: string | undefined;

  before(async () => {
    deployment = await Deployment.start({ daemon: { control: { transport: 'tcp', port: 0 } } });
    const clone = deployment.folder.file('clone');
    project = join(clone, 'sdk', 'java');
    const sources = join(project, 'src', 'main', 'java');
    await mkdir(sources, { recursive: true });
    await copyFile(join(projectRoot, 'sdk', 'java', 'pom.xml'), join(project, 'pom.xml'));
    await cp(join(projectRoot, 'openapi'), join(clone, 'openapi'), { recursive: true });
    await writeDocumentedPrograms('java.md', sources);
    const maven = await startDocumentedCommands('java.md', { cwd: clone });
    const { code } = await maven.waitForExit(buildMsMax);
    if (code === 0) return;
    unavailable = maven.lines.find((line) => unresolved.test(line));
    assert.ok(unavailable !== undefined, maven.lastLines(40));
  });
  after(() => deployment[Symbol.asyncDispose]());

  test('takes a ticket from beginning to end with the documented program', async (context: TestContext) => {
    if (unavailable !== undefined) {
      context.skip(`needs Maven artifacts, which cannot be fetched here: ${unavailable}`);
      return;
    }
    const [source, target] = [deployment.folder.file('source'), deployment.folder.file('target')];
    await writeRandomImage(source, MiB);
    await (await open(target, 'w')).close();
    const ticketId = randomUUID();
    const control = deployment.daemon.address('control');
    assert.ok(control.kind === 'tcp');
    const classPath = ['target/classes', 'target/dependency/*'].map((path) => join(project, path)).join(':');
    const program = await Program.start('java', [
      ...['-cp', classPath, 'Transfer', deployment.daemon.url, deployment.proxy.url],
      ...[deployment.folder.file('ca.pem'), `http://localhost:${control.port}`],
      ...[ticketId, source, target, deployment.signTicket(ticketId)],
    ]);
    assert.equal((await program.waitForExit(60_000)).code, 0, program.lastLines(40));
    const rest = { offsetBytes: 4096, lengthBytes: MiB - 4096 };
    assert.equal(await sha256OfFile(target, rest), await sha256OfFile(source, rest));
    assert.deepEqual(await deployment.daemon.vdsm.listTickets(), []);
  });
});
