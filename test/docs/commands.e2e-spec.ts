import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { projectFiles } from '../support/markdown.js';
import { Program } from '../support/program.js';
import { projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';
import type { TemporaryFolder } from '../support/temporary-folder.js';
import { cloneProject, needsHistory, newTerminal } from './bare-clone.js';
import { freshMachine, needsOwnMachine, ownMachine } from './own-machine.js';
import { shellBlocksOf, type ShellBlock } from './shell-blocks.js';
import { sessionOf } from './shell-session.js';

/** Compiling everything twice, on a machine that does much else. */
const sessionMsMax = 400_000;

/** In the order of a newcomer: what one page builds is there for the next. */
const pagesWithSessions = ['README.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/quick-start.md'];

/** Pages whose commands one test takes out of the page and runs as a whole. */
const pagesRunElsewhere = {
  'docs/backup.md': 'test/nbd/daemon-backup.e2e-spec.ts',
  'docs/backup-on-the-host.md': 'test/nbd/backup-on-the-host.e2e-spec.ts',
  'docs/http-api.md': 'test/e2e/http-guide.e2e-spec.ts',
  'docs/unix-socket.md': 'test/e2e/http-guide.e2e-spec.ts',
};

const read = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');

for (const page of projectFiles(['.md'])) {
  const blocks = shellBlocksOf(page, read(page));
  if (blocks.length === 0 || page in pagesRunElsewhere) continue;
  test(`every block of commands of ${page} is run by a test, or says why not`, () => {
    for (const block of blocks) assertTried(page, block);
  });
}

test('pages that another test runs as a whole are named in it', () => {
  for (const [page, file] of Object.entries(pagesRunElsewhere))
    assert.ok(read(file).includes(basename(page)));
});

function assertTried(page: string, { place, trial }: ShellBlock): void {
  assert.ok(trial !== undefined, `${place}: no comment before the block says how it is tried`);
  if (trial.kind === 'run by') {
    assert.ok(existsSync(join(projectRoot, trial.testFile)), `${place}: ${trial.testFile}`);
    assert.ok(read(trial.testFile).includes(basename(page)), `${place}: ${trial.testFile} does not read it`);
  } else if (trial.kind !== 'not run') {
    assert.ok(pagesWithSessions.includes(page), `${place}: no session of this test runs it`);
  }
}

describe('in a bare clone', { skip: needsHistory() || needs('bash', 'git', 'npm', 'curl') }, () => {
  let folder: TemporaryFolder;
  let clone: string;
  before(async () => {
    folder = await cloneProject();
    clone = folder.file('ovirt-imageio');
  });
  after(() => folder[Symbol.asyncDispose]());

  /** Runs what the page of the clone marks as run. @returns what was printed */
  const runPage = async (page: string, { as = ['bash'], setUp = '' } = {}): Promise<string> => {
    const blocks = shellBlocksOf(page, readFileSync(join(clone, page), 'utf8')).filter(
      ({ trial }) => trial?.kind === 'run' || trial?.kind === 'run until',
    );
    assert.ok(blocks.length > 0);
    const [command = '', ...args] = as;
    const session = setUp + sessionOf(blocks);
    const bash = await Program.start(command, [...args, '-c', session], {
      cwd: clone,
      env: { ...newTerminal(), TMPDIR: folder.path },
    });
    try {
      const { code } = await bash.waitForExit(sessionMsMax);
      assert.equal(code, 0, bash.lastLines(60));
    } finally {
      // unshare takes no SIGTERM; its end is the end of all that it started.
      if (!bash.hasExited) await (command === 'bash' ? bash.stop() : bash.kill());
    }
    return bash.lines.join('\n');
  };

  test('README.md: npm start plays, the tour with curl works, and nothing is left of the demo', async () => {
    const output = await runPage('README.md');
    // The first bytes of package-lock.json, the extents of the image, and the ticket.
    assert.ok(output.includes('"name": "ovirt-imageio"'), output);
    assert.match(output, /\[\{"start":0,/);
    assert.match(output, /"transferred":[1-9]\d*/);
    assert.deepEqual(await readdir(join(clone, '.demo')), []);
  });

  test('CONTRIBUTING.md: one test file runs by hand', async () => {
    assert.match(await runPage('CONTRIBUTING.md'), /pass [1-9]/);
  });

  test('docs/architecture.md: the imports between folders are drawn, and none points up', async () => {
    const drawing = await runPage('docs/architecture.md');
    assert.match(drawing, /^flowchart/m);
    const boxes = new Set(drawing.match(/"(?:[a-z-]+|\w+\.ts)"/g));
    assert.ok(boxes.size > 10 && boxes.size <= 24, `${boxes.size} boxes`);
  });

  test('docs/quick-start.md: root makes a host of a fresh machine', { skip: needsOwnMachine() }, async () => {
    const output = await runPage('docs/quick-start.md', { as: ownMachine, setUp: freshMachine });
    assert.match(output, /"transferred":67108864/);
  });
});
