import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pinnedNode, projectRoot, serviceProgram } from '../support/project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program, which must end by itself. */
function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...process.env, ...env }, timeout: 30_000 };
    execFile(pinnedNode, [serviceProgram, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(new Error(`Running it failed, stderr: ${stderr}`, { cause: error }));
    });
  });
}

describe('the command line', () => {
  let folder: TemporaryFolder;
  let confDir: string;

  before(async () => {
    folder = await TemporaryFolder.create();
    confDir = folder.file('etc');
    await mkdir(join(confDir, 'conf.d'), { recursive: true });
    await writeFile(join(confDir, 'conf.d', '50-engine.conf'), '[remote]\nport = 54399\n');
  });
  after(async () => {
    await folder[Symbol.asyncDispose]();
  });

  /** A configuration folder with one file. */
  const configured = async (name: string, text: string): Promise<string> => {
    const path = folder.file(name);
    await mkdir(join(path, 'conf.d'), { recursive: true });
    await writeFile(join(path, 'conf.d', '50-test.conf'), text);
    return path;
  };

  for (const option of ['--help', '-h']) {
    test(`explains itself on standard output with ${option}`, async () => {
      const { code, stdout, stderr } = await run([option]);
      assert.deepEqual([code, stderr], [0, '']);
      for (const word of [
        '--conf-dir DIR',
        '--role daemon|proxy',
        '--ticket FILE',
        '--show-config',
        '--version',
      ])
        assert.ok(stdout.includes(word), word);
      assert.ok(stdout.split('\n').every((line) => line.length <= 80));
    });
  }

  test('prints the version of the package with --version', async () => {
    const { version } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as {
      version: string;
    };
    assert.deepEqual(await run(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
  });

  for (const [what, args, message] of [
    ['an unknown option', ['--bogus'], /^ovirt-imageio: Unknown option '--bogus'/],
    ['an unknown role', ['--role', 'engine'], /^ovirt-imageio: --role is "engine", expected daemon or proxy/],
    ['an option without its value', ['--conf-dir'], /^ovirt-imageio: .*--conf-dir/],
    ['an argument that is no option', ['start'], /^ovirt-imageio: .*'start'/],
  ] as const) {
    test(`refuses ${what} with exit code 2, once and with a hint`, async () => {
      const { code, stdout, stderr } = await run(args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
      assert.equal(stderr.match(/ovirt-imageio: /g)?.length, 1, stderr);
      assert.equal(stderr.match(/Try /g)?.length, 1, stderr);
    });
  }

  test('prints the configuration as JSON with --show-config, ports as numbers', async () => {
    const { code, stdout, stderr } = await run(['-c', confDir, '--show-config']);
    assert.deepEqual([code, stderr], [0, '']);
    const shown = JSON.parse(stdout) as Record<string, Record<string, unknown>>;
    assert.equal(shown['remote']?.['port'], 54399);
    assert.equal(shown['daemon']?.['max_connections'], 8);
    assert.equal(shown['local']?.['enable'], true);
  });

  test('shows the defaults of the proxy for that role', async () => {
    const { stdout } = await run(['-c', confDir, '--role', 'proxy', '--show-config'], {
      IMAGEIO_REMOTE__HOST: '127.0.0.1',
    });
    const shown = JSON.parse(stdout) as Record<string, Record<string, unknown>>;
    assert.equal(shown['local']?.['enable'], false);
    assert.equal(shown['remote']?.['host'], '127.0.0.1');
  });

  test('lets the environment win over the files', async () => {
    const { stdout } = await run(['-c', confDir, '--show-config'], { IMAGEIO_REMOTE__PORT: '0' });
    assert.equal((JSON.parse(stdout) as { remote: { port: number } }).remote.port, 0);
  });

  test('names the pattern that no configuration file matches, with exit code 1', async () => {
    const empty = folder.file('empty');
    const { code, stdout, stderr } = await run(['-c', empty]);
    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(stderr, `no configuration file matches ${join(empty, 'conf.d', '*.conf')}\n`);
  });

  test('says in one line which value of which file is wrong, with exit code 1', async () => {
    const bad = await configured('bad-value', '[remote]\nhost = ::\nport = many\n');
    const { code, stdout, stderr } = await run(['-c', bad]);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^\S*50-test\.conf:3: \[remote\] port: expected a port from 0 to 65535, got "many"\n$/,
    );
  });

  test('names the variable when it is the environment that is wrong', async () => {
    const { code, stderr } = await run(['-c', confDir], { IMAGEIO_TLS__ENABLE: 'perhaps' });
    assert.equal(code, 1);
    assert.match(stderr, /^IMAGEIO_TLS__ENABLE: \[tls\] enable: [^\n]*\n$/);
  });

  test('does not start without a key while TLS is on', async () => {
    const { code, stderr } = await run(['-c', confDir]);
    assert.equal(code, 1);
    assert.match(stderr, /^\[tls\] key_file: is empty while TLS is enabled/);
  });
});
