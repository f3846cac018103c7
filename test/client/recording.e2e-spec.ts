import assert from 'node:assert/strict';
import { chmod, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { assertSameImage, writeSparseImage } from '../support/images.js';
import { pinnedNode, projectRoot } from '../support/project.js';
import { needs } from '../support/requirements.js';
import { imageioProgram } from './imageio-under-test.js';
import { Terminal } from './terminal.js';

const page = join(projectRoot, 'docs', 'client.md');
const castFile = join(projectRoot, 'docs', 'client-session.cast');
const sizeBytes = 96 * MiB;
const upload = 'imageio upload disk.raw $IMAGE --cafile ca.pem --limit-rate 16m --verify';

/**
 * What docs/client.md shows of a terminal is what comes there. `UPDATE_GENERATED=1` writes it anew, together
 * with a recording in the format of asciinema.
 */
test('a terminal shows what docs/client.md shows', { skip: needs('script', 'bash') }, async () => {
  await using deployment = await Deployment.start();
  const folder = deployment.folder.path;
  const original = join(folder, 'disk.raw');
  await writeSparseImage(original, sizeBytes, [{ offsetBytes: 0, lengthBytes: 64 * MiB }]);
  const image = join(folder, 'image');
  await using target = await open(image, 'w');
  await target.truncate(sizeBytes);
  const address = deployment.daemon.address('remote');
  assert.ok(address.kind === 'tls');
  await writeFile(join(folder, 'ca.pem'), address.ca);
  await mkdir(join(folder, 'bin'));
  await writeFile(join(folder, 'bin', 'imageio'), `#!/bin/sh\nexec ${pinnedNode} ${imageioProgram} "$@"\n`);
  await chmod(join(folder, 'bin', 'imageio'), 0o755);

  await using terminal = new Terminal(
    folder,
    {
      PATH: `${folder}/bin:${process.env['PATH'] ?? ''}`,
      IMAGE: `${deployment.daemon.url}/images/${await deployment.addTicket('write', image, sizeBytes)}`,
      XDG_STATE_HOME: folder,
    },
    '$ ',
  );
  await terminal.shows((lines) => terminal.isReady(lines), 'a prompt');
  terminal.type(`${upload}\n`);
  await terminal.shows((lines) => /^ *[1-9]\d*% .* left$/.test(lines.at(-1) ?? ''), 'progress');
  terminal.type('\x03');
  await terminal.shows((lines) => terminal.isReady(lines), 'the end');
  await terminal.run('echo $?');
  await terminal.run(upload);
  await terminal.run('imageio verify disk.raw $IMAGE --cafile ca.pem');
  await assertSameImage(image, original);

  const shown = (await terminal.lines()).slice(0, -1).join('\n');
  if (process.env['UPDATE_GENERATED'] === '1') {
    await writeFile(
      page,
      (await readFile(page, 'utf8')).replace(sessionBlock, () => blockOf(shown)),
    );
    await writeFile(castFile, castOf(terminal));
  }
  const [, documented] = sessionBlock.exec(await readFile(page, 'utf8')) ?? [];
  assert.equal(timeless(shown), timeless(documented ?? ''));
});

const sessionBlock = /<!-- what a terminal shows -->\n\n```text\n([^]*?)\n```/;

function blockOf(shown: string): string {
  return `<!-- what a terminal shows -->\n\n\`\`\`text\n${shown}\n\`\`\``;
}

/** Without what depends on how fast it goes: numbers, and how long the bar is. */
function timeless(text: string): string {
  return text
    .replaceAll(/^ *\d+% [=-]+ .*$/gm, 'BAR')
    .replaceAll(/\d+\.\d [KMG]iB (moved|there)/g, 'SIZE $1');
}

function castOf({ outputs }: Terminal): string {
  const header = { version: 2, width: 100, height: 24, title: 'imageio: interrupted, resumed, verified' };
  const events = outputs.map(({ seconds, text }) => [Number(seconds.toFixed(3)), 'o', text]);
  return [header, ...events].map((entry) => `${JSON.stringify(entry)}\n`).join('');
}
