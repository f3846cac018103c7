import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { assertSameImage, writeRandomImage } from '../support/images.js';
import { Program } from '../support/program.js';
import { pinnedNode, projectRoot } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { startDocumentedCommands, writeDocumentedPrograms } from './documented-program.js';

const run = promisify(execFile);
const sdk = join(projectRoot, 'sdk', 'typescript');

interface Package {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

async function readPackage(folder: string): Promise<Package> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Package;
}

test('the package of the TypeScript client has the version and the dependencies of the service', async () => {
  const [own, service] = [await readPackage(sdk), await readPackage(projectRoot)];
  assert.equal(own.version, service.version);
  for (const [name, version] of Object.entries(own.dependencies))
    assert.equal(service.dependencies[name], version);
});

test('the packed TypeScript client runs its documented programs in a project of its own', async () => {
  await using folder = await TemporaryFolder.create();
  const { name, dependencies } = await readPackage(sdk);
  await run('npm', ['pack', '--pack-destination', folder.path], { cwd: sdk });
  const installed = join(folder.path, 'node_modules', name);
  await mkdir(installed, { recursive: true });
  const [archive] = (await run('sh', ['-c', 'ls *.tgz'], { cwd: folder.path })).stdout.split('\n');
  await run('tar', ['-xzf', archive ?? '', '--strip-components=1', '-C', installed], { cwd: folder.path });
  // What npm install would fetch.
  for (const dependency of [
    ...Object.keys(dependencies),
    // What the documented command needs.
    'typescript',
    '.bin',
    '@types',
    'openapi-typescript-helpers',
    'undici-types',
  ])
    await symlink(
      join(projectRoot, 'node_modules', dependency),
      join(folder.path, 'node_modules', dependency),
    );

  const readme = await readFile(join(installed, 'README.md'), 'utf8');
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? '';
  const ticketId = "const ticketId = process.env['TICKET_ID'] ?? '';\n";
  await writeFile(folder.file('example.ts'), example.replace('\n\n', `\n\n${ticketId}`));
  await writeDocumentedPrograms('typescript.md', folder.path);
  await writeFile(folder.file('package.json'), '{"type": "module"}');
  const compile = [
    join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc'),
    ...['--strict', '--target', 'es2024', '--lib', 'es2024,esnext.disposable'],
    ...['--types', 'node', '--module', 'nodenext'],
  ];
  await run(pinnedNode, [...compile, 'example.ts'], { cwd: folder.path });
  const compiler = await startDocumentedCommands('typescript.md', { cwd: folder.path });
  assert.equal((await compiler.waitForExit(60_000)).code, 0, compiler.lastLines());
  // Node.js 22 does not know this.
  for (const file of ['transfer.js', 'follow.js']) {
    assert.doesNotMatch(await readFile(folder.file(file), 'utf8'), /await using/);
  }
  const program = `import * as sdk from '${name}'; console.log(Object.keys(sdk).sort().join())`;
  const { stdout } = await run(pinnedNode, ['--input-type=module', '--eval', program], { cwd: folder.path });
  const names =
    'ImageClient,ImageioError,IntegrityError,NodeTransport,SessionsClient,TicketsClient,Transport';
  assert.equal(stdout, `${names}\n`);

  await using deployment = await Deployment.start();
  const [source, target, copy] = ['source', 'target', 'copy'].map((file) => folder.file(file));
  await writeRandomImage(source!, 8 * MiB + 12_345);
  await writeFile(target!, '');
  const control = deployment.daemon.address('control');
  assert.ok(control.kind === 'unix');
  const ticketOfTransfer = randomUUID();
  const transfer = await run(
    pinnedNode,
    [
      ...['transfer.js', deployment.daemon.url, deployment.proxy.url, deployment.folder.file('ca.pem')],
      ...[control.path, ticketOfTransfer, source!, target!, copy!],
      deployment.signTicket(ticketOfTransfer),
    ],
    { cwd: folder.path },
  );
  assert.equal(transfer.stdout, 'true\n');
  for (const file of [target, copy]) await assertSameImage(file!, source!);

  const followed = await deployment.addTicket('write', target!, 8 * MiB);
  const args = ['follow.js', deployment.daemon.url, deployment.folder.file('ca.pem'), followed];
  const following = await Program.start(pinnedNode, args, { cwd: folder.path });
  await following.waitForLine((line) => (line === 'progress 0' ? line : undefined), 'the first event');
  await deployment.daemon.vdsm.removeTicket(followed);
  assert.equal((await following.waitForExit()).code, 0, following.lastLines());
  assert.equal(following.lines.at(-1), 'removed 0');

  const pausable = folder.file('pausable');
  await writeFile(pausable, '');
  const ticketOfUpload = await deployment.addTicket('write', pausable, 8 * MiB + 12_345);
  const upload = spawn(
    pinnedNode,
    [
      ...['upload.js', source!, `${deployment.daemon.url}/images/${ticketOfUpload}`],
      deployment.folder.file('ca.pem'),
    ],
    { cwd: folder.path, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const ended = once(upload, 'exit');
  // It is there when the program begins to listen, long before all is sent.
  upload.stdin.write('\n');
  let wasPaused = false;
  for await (const line of createInterface({ input: upload.stdout })) {
    if (wasPaused || !line.startsWith('paused')) continue;
    wasPaused = true;
    upload.stdin.write('\n');
  }
  assert.deepEqual([await ended, wasPaused], [[0, null], true]);
  await assertSameImage(pausable, source!);
  await deployment.daemon.vdsm.removeTicket(ticketOfUpload);
  assert.deepEqual(await deployment.daemon.vdsm.listTickets(), []);
});
