import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { MiB } from '../../src/base/units.js';
import { examples } from '../../src/client/examples.js';
import { imageio as imageioCommands } from '../../src/client/program.js';
import { Deployment } from '../e2e/deployment.js';
import { pinnedNode } from '../support/project.js';
import { needs } from '../support/requirements.js';
import { writeSparseImage } from '../support/images.js';
import { imageio, imageioProgram } from './imageio-under-test.js';

const run = promisify(execFile);
const sizeBytes = 8 * MiB;

describe('examples of imageio', { skip: needs('qemu-img', 'qemu-nbd', 'bash') }, () => {
  let deployment: Deployment;
  before(async () => {
    deployment = await Deployment.start();
    const program = join(deployment.folder.path, 'bin', 'imageio');
    await mkdir(join(deployment.folder.path, 'bin'));
    await writeFile(program, `#!/bin/sh\nexec ${pinnedNode} ${imageioProgram} "$@"\n`);
    await chmod(program, 0o755);
  });
  after(() => deployment[Symbol.asyncDispose]());

  test('every command has some, which its help shows', async () => {
    // What an engine is asked for is tried in test/client/engine.
    const names = imageioCommands()
      .commands.map((command) => command.name())
      .filter((name) => !name.endsWith('-disk'));
    assert.deepEqual([...examples.keys()].sort(), names.sort());
    for (const [name, list] of examples) {
      const { stdout } = await imageio(['help', name]);
      for (const { command } of list)
        assert.ok(stdout.includes(command), `${command} in the help of ${name}`);
    }
  });

  for (const [name, list] of examples) {
    for (const { words, command } of list) {
      test(`${name}: ${words}`, async () => {
        const place = await Place.create(deployment, name === 'download');
        await place.run(command);
        if (name === 'upload') await place.assertUploaded();
        if (name === 'download') await place.assertDownloaded(command);
      });
    }
  }
});

/** A folder as the examples take it for granted, and an image with a ticket. */
class Place {
  private constructor(
    private readonly deployment: Deployment,
    private readonly folder: string,
    private readonly image: string,
    private readonly ticket: string,
  ) {}

  /** @param forDownload the files are not there, but in the image */
  static async create(deployment: Deployment, forDownload: boolean): Promise<Place> {
    const folder = join(deployment.folder.path, randomUUID());
    await mkdir(folder);
    const place = (file: string): string => join(folder, file);
    const disk = place('original');
    await writeSparseImage(disk, sizeBytes, [{ offsetBytes: MiB, lengthBytes: 3 * MiB + 999 }]);
    const image = place('image');
    if (!forDownload) {
      await run('cp', [disk, place('disk.raw')]);
      await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', disk, place('disk.qcow2')]);
      await run('bash', ['-c', `gzip < ${disk} > ${place('disk.raw.gz')}`]);
    }
    await run('cp', [disk, image]);
    const ticket = await deployment.addTicket('write', image, sizeBytes);
    await writeFile(place('ticket.txt'), deployment.signTicket(ticket));
    const address = deployment.daemon.address('remote');
    assert.ok(address.kind === 'tls');
    await writeFile(place('ca.pem'), address.ca);
    return new Place(deployment, folder, image, ticket);
  }

  async run(command: string): Promise<void> {
    const { deployment, folder, image, ticket } = this;
    // An upload must do it, not the preparation; and whoever reads gets what is in the files.
    if (command.includes(' upload ')) await emptyFile(image);
    const other = await deployment.addTicket('write', await emptyFile(join(folder, 'other')), sizeBytes);
    const receipt =
      'imageio receipt https://host.example.com:54322/images/$TICKET --cafile ca.pem --save receipt.json';
    const isKept = command.startsWith('imageio receipt receipt.json');
    const real = (isKept ? `${receipt} && ${command}` : command)
      .replaceAll(/https:\/\/(host|other)\.example\.com:54322/g, deployment.daemon.url)
      .replaceAll('https://proxy.example.com:54323', deployment.proxy.url);
    await run('bash', ['-o', 'pipefail', '-ec', real], {
      cwd: folder,
      env: {
        ...process.env,
        PATH: `${deployment.folder.path}/bin:${process.env['PATH'] ?? ''}`,
        XDG_STATE_HOME: folder,
        TICKET: ticket,
        OTHER: other,
      },
    });
  }

  async assertUploaded(): Promise<void> {
    await run('cmp', [this.image, join(this.folder, 'original')]);
  }

  async assertDownloaded(command: string): Promise<void> {
    const file = /disk\.\w+/.exec(command)?.[0];
    if (file === undefined) return;
    await run('qemu-img', ['compare', join(this.folder, file), this.image]);
  }
}

/** A file that has nothing in it, whatever it had. */
async function emptyFile(path: string): Promise<string> {
  await writeFile(path, '');
  await truncate(path, sizeBytes);
  return path;
}
