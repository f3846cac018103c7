import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DaemonUnderTest } from '../e2e/daemon-under-test.js';
import { connectOptions } from '../support/address.js';
import { pinnedNode, projectRoot } from '../support/project.js';
import { Program } from '../support/program.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { ContainerReplay } from './container-replay.js';
import { instructionsNamed, parseCopy, parseStages } from './containerfile.js';
import { askInstalledDaemon } from './installed-service.js';
import { nodeEnvironment } from './npm.js';

const packaging = join(projectRoot, 'packaging');
const containerfile = join(packaging, 'Containerfile');
const stages = parseStages(readFileSync(containerfile, 'utf8'));
const image = stages.slice(-1);

const linter = JSON.parse(
  execFileSync(process.execPath, [join(projectRoot, 'scripts', 'hadolint.mjs')], { encoding: 'utf8' }),
) as { hadolint: string } | { missing: string };

describe('the container image', () => {
  test(
    'has a Containerfile without complaints of hadolint',
    { skip: 'missing' in linter ? linter.missing : false },
    () => {
      assert.ok('hadolint' in linter);
      const { status, stdout } = spawnSync(linter.hadolint, ['--failure-threshold=info', containerfile], {
        encoding: 'utf8',
      });
      assert.deepEqual({ status, stdout }, { status: 0, stdout: '' });
    },
  );

  test('runs as an ordinary user whom the chart knows', () => {
    assert.deepEqual(instructionsNamed(image, 'USER'), ['10001:10001']);
    const values = readFileSync(join(projectRoot, 'helm/ovirt-imageio/values.yaml'), 'utf8');
    assert.match(values, /^ {2}runAsUser: 10001\n {2}runAsGroup: 10001$/m);
  });

  test('is built from files that the build context has', () => {
    const context = readFileSync(join(projectRoot, '.dockerignore'), 'utf8').split('\n');
    for (const { from, sources } of instructionsNamed(stages, 'COPY').map(parseCopy)) {
      if (from !== undefined) continue;
      for (const source of sources) {
        assert.ok(existsSync(join(projectRoot, source)), `${source} exists`);
        assert.ok(
          context.some((line) => line.startsWith('!') && `${source}/`.startsWith(`${line.slice(1)}/`)),
          `${source} is in the build context`,
        );
      }
    }
  });

  test('serves after the same steps in a clean folder', async () => {
    // Replayed are the commands of npm; of the others one makes the user, as only the base image can.
    const others = instructionsNamed(stages, 'RUN').filter((text) => !text.startsWith('npm '));
    assert.equal(others.length, 2);
    assert.match(
      others[0] ?? '',
      /^groupadd .* && useradd .* && install --directory .* \/run\/ovirt-imageio$/,
    );

    await using folder = await TemporaryFolder.create();
    const replay = new ContainerReplay(folder.file('stages'));
    await replay.run(stages);

    assert.ok(!existsSync(replay.path('image', '/opt/ovirt-imageio/node_modules/typescript')));
    assert.ok(existsSync(replay.path('image', '/etc/ovirt-imageio/conf.d/10-container.conf')));
    const [entrypoint] = instructionsNamed(image, 'ENTRYPOINT');
    const [command, main, ...rest] = JSON.parse(entrypoint ?? '[]') as string[];
    assert.equal(command, 'node');
    assert.deepEqual(rest, []);
    const { answer, exitCode } = await askInstalledDaemon(
      { command: pinnedNode, args: [replay.path('image', main ?? '')], env: nodeEnvironment },
      folder,
    );
    assert.equal(answer.status, 200);
    assert.equal(exitCode, 0);

    // The commands on the PATH of the image start what is in it.
    for (const [name, usage] of [
      ['ovirt-imageio', /^Usage: ovirt-imageio /],
      ['ovirt-imageioctl', /^Usage: ovirt-imageioctl /],
    ] as const) {
      const command = replay.path('image', `/usr/local/bin/${name}`);
      assert.ok((statSync(command).mode & 0o111) === 0o111, `${name} is executable`);
      const script = readFileSync(command, 'utf8').replaceAll(
        '/opt/ovirt-imageio/',
        replay.path('image', '/opt/ovirt-imageio/'),
      );
      const { status, stdout } = spawnSync('sh', ['-c', script, name, '--help'], {
        env: nodeEnvironment,
        encoding: 'utf8',
      });
      assert.equal(status, 0);
      assert.match(stdout, usage);
    }
  });

  test('has no program by which one becomes another user or group', async () => {
    const [command = '', ...others] = instructionsNamed(image, 'RUN').filter((text) =>
      text.startsWith('find /'),
    );
    assert.deepEqual(others, []);
    await using folder = await TemporaryFolder.create();
    for (const [name, mode] of [
      ['setuid', 0o4755],
      ['set gid', 0o2755],
      ['neither', 0o755],
    ] as const) {
      writeFileSync(folder.file(name), '');
      chmodSync(folder.file(name), mode);
    }
    execFileSync('sh', ['-c', command.replace('find /', `find '${folder.path}'`)]);
    for (const name of ['setuid', 'set gid', 'neither'])
      assert.equal((statSync(folder.file(name)).mode & 0o7777).toString(8), '755', name);
  });

  test('has the test of the chart, which fails unless all that it asks answer', async () => {
    const script = join(packaging, 'container', 'answers.mjs');
    const copied = instructionsNamed(image, 'COPY').flatMap((text) => parseCopy(text).sources);
    assert.ok(copied.includes('packaging/container/answers.mjs'));
    await using running = await DaemonUnderTest.start({ remote: { host: '127.0.0.1' } });
    const { port } = connectOptions(running.daemon.address('remote'));
    const ask = async (...targets: string[]): Promise<number | null> => {
      const program = await Program.start(pinnedNode, [script, ...targets]);
      return (await program.waitForExit()).code;
    };
    assert.equal(await ask(`127.0.0.1:${String(port)}`), 0);
    assert.equal(await ask(`127.0.0.1:${String(port)}`, '127.0.0.1:1'), 1);
    assert.equal(await ask(), 1);
  });

  test('is healthy only when the service says that it lives', async () => {
    const [check = ''] = instructionsNamed(image, 'HEALTHCHECK');
    const [command, path = ''] = JSON.parse(check.slice(check.indexOf('['))) as string[];
    assert.equal(command, 'node');
    const copies = instructionsNamed(image, 'COPY').map(parseCopy);
    const copied = copies.find(({ destination }) => join('/opt/ovirt-imageio', destination) === path);
    const script = join(projectRoot, copied?.sources[0] ?? '');

    let status = 200;
    const asked: string[] = [];
    const service = createServer(({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(status).end();
    });
    service.listen(0, '127.0.0.1');
    await once(service, 'listening');
    const { port } = service.address() as AddressInfo;
    const exitCode = async (): Promise<number | null> => {
      const env = { IMAGEIO_METRICS__PORT: String(port) };
      return (await (await Program.start(pinnedNode, [script], { env })).waitForExit()).code;
    };
    try {
      assert.equal(await exitCode(), 0);
      status = 503;
      assert.equal(await exitCode(), 1);
      assert.deepEqual(asked, ['/health/live', '/health/live']);
    } finally {
      service.close();
      service.closeAllConnections();
    }
    assert.equal(await exitCode(), 1);
  });
});
