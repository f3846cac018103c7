import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { completionShells } from '../../src/client/completion.js';
import { needs } from '../support/requirements.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { imageio } from './imageio-under-test.js';

const run = promisify(execFile);

describe('completion of imageio', () => {
  let folder: TemporaryFolder;
  const script = (shell: string): string => folder.file(`_imageio.${shell}`);
  before(async () => {
    folder = await TemporaryFolder.create();
    for (const shell of completionShells) {
      const { code, stdout } = await imageio(['completion', shell]);
      assert.equal(code, 0);
      await writeFile(script(shell), stdout);
    }
  });
  after(() => folder[Symbol.asyncDispose]());

  describe('bash', { skip: needs('bash') }, () => {
    async function completed(...words: readonly string[]): Promise<readonly string[]> {
      const line = [
        `source ${script('bash')}`,
        'COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))',
        '_imageio',
        'echo "${COMPREPLY[@]}"',
      ].join('\n');
      const { stdout } = await run('bash', ['-c', line, 'bash', 'imageio', ...words]);
      return stdout.trim().split(' ');
    }

    test('knows the commands', async () => {
      assert.deepEqual(await completed('up'), ['upload', 'upload-disk']);
      assert.deepEqual(await completed('che'), ['checksum']);
    });
    test('knows the options of a command', async () => {
      assert.deepEqual(await completed('upload', '--ver'), ['--verify']);
      assert.deepEqual(await completed('extents', '--ver'), ['']);
    });
    test('knows what an option can be', async () => {
      assert.deepEqual(await completed('upload', 'disk', '--format', 'v'), ['vmdk', 'vhdx', 'vdi']);
    });
    test('leaves the names of files to the shell', async () => {
      assert.deepEqual(await completed('upload', ''), ['']);
      const { stdout } = await run('bash', ['-c', `source ${script('bash')}; complete -p imageio`]);
      assert.match(stdout, /-o default/);
    });
  });

  describe('fish', { skip: needs('fish') }, () => {
    async function completed(line: string): Promise<string> {
      const { stdout } = await run('fish', ['-c', `source ${script('fish')}; complete -C "${line}"`], {
        cwd: folder.path,
        env: { ...process.env, HOME: folder.path },
      });
      return stdout;
    }

    test('knows commands, options, choices and files', async () => {
      assert.match(await completed('imageio upl'), /^upload\tsend a disk/);
      assert.match(await completed('imageio upload --ver'), /^--verify\t/);
      assert.match(await completed('imageio upload --format q'), /^qcow2\t/);
      assert.match(await completed('imageio upload _imageio.b'), /_imageio\.bash/);
    });
  });

  describe('zsh', { skip: needs('zsh') }, () => {
    test('takes the script', async () => {
      const lines = `autoload -U compinit; compinit -u -D; source ${script('zsh')}; print $_comps[imageio]`;
      const { stdout, stderr } = await run('zsh', ['-fc', lines]);
      assert.deepEqual([stdout, stderr], ['_imageio\n', '']);
    });
  });
});
