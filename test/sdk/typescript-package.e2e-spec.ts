import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { pinnedNode, projectRoot } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

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

test('the packed TypeScript client compiles and runs in a project of its own', async () => {
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
  await writeFile(folder.file('package.json'), '{"type": "module"}');
  const compile = [
    join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc'),
    '--strict',
    '--target',
    'es2024',
  ];
  const libraries = ['--lib', 'es2024,esnext.disposable', '--types', 'node', '--module', 'nodenext'];
  await run(pinnedNode, [...compile, ...libraries, 'example.ts'], { cwd: folder.path });
  const program = `import * as sdk from '${name}'; console.log(Object.keys(sdk).sort().join())`;
  const { stdout } = await run(pinnedNode, ['--input-type=module', '--eval', program], { cwd: folder.path });
  assert.equal(stdout, 'ImageClient,ImageioError,SessionsClient,TicketsClient,Transport\n');
});
