import assert from 'node:assert/strict';
import { realpath, symlink, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { ImagesClient, imagePath } from '../support/client.js';
import type { Service } from '../support/processes.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { Deployment } from './deployment.js';

const sizeBytes = 4096;
const refusal =
  'You are not allowed to access this resource: The image is in a place where no image may be\n';

/** Each of them would open the image. */
const requests = [
  ['GET', '', ''],
  ['HEAD', '', ''],
  ['OPTIONS', '', ''],
  ['GET', '/extents', ''],
  ['GET', '/checksum', ''],
  ['PUT', '', 'bytes'],
  ['PATCH', '', '{"op": "flush"}'],
] as const;

/** Waits for a record that has all of `texts`: records are written some time after they were made. */
async function logged({ program }: Service, ...texts: readonly string[]): Promise<void> {
  await program.waitForLine(
    (line) => (texts.every((text) => line.includes(text)) ? line : undefined),
    `a record with ${texts.join(' and ')}`,
  );
}

describe('an image in a place where none may be', { concurrency: false }, () => {
  let deployment: Deployment;
  /** A link that nobody would take for what it is. */
  let disguised: string;

  before(async () => {
    deployment = await Deployment.start();
    disguised = deployment.folder.file('disk');
    await symlink('/proc/self/environ', disguised);
  });
  after(() => deployment[Symbol.asyncDispose]());

  async function assertRefused(client: ImagesClient, ticketId: string): Promise<void> {
    for (const [method, subResource, body] of requests) {
      const answer = await client.request(method, `${imagePath(ticketId)}${subResource}`, {
        ...(body === '' ? {} : { body: Buffer.from(body) }),
      });
      assert.equal(answer.status, 403, `${method} ${subResource}`);
      if (method !== 'HEAD') assert.equal(answer.text, refusal);
    }
  }

  for (const name of ['/proc/self/environ', '/dev/fd/0', '/sys/kernel/notes']) {
    test(`${name} is refused by the daemon, whatever is asked`, async () => {
      const ticketId = await deployment.addTicket('write', name, sizeBytes);
      const client = new ImagesClient(deployment.daemon.address('remote'));
      await assertRefused(client, ticketId);
      client.close();
    });
  }

  test('is refused through a link too, and the log names path and reason', async () => {
    const ticketId = await deployment.addTicket('write', disguised, sizeBytes);
    const client = new ImagesClient(deployment.daemon.address('remote'));
    await assertRefused(client, ticketId);
    client.close();
    await logged(deployment.daemon, `${disguised} leads to /proc of the kernel file system proc`);
  });

  test('is refused through the proxy with the same words', async () => {
    const ticketId = await deployment.addTicket('write', disguised, sizeBytes);
    const client = new ImagesClient(deployment.proxy.address('remote'), {
      headers: { Authorization: deployment.signTicket(ticketId) },
    });
    await assertRefused(client, ticketId);
    client.close();
    assert.ok(!deployment.proxy.logText.includes('/proc/self'));
  });
});

describe('a daemon with allowed_roots', () => {
  test('serves what lies below them when links are followed, and refuses the rest', async () => {
    await using images = await TemporaryFolder.create();
    // Roots are compared with real paths.
    const root = await realpath(images.path);
    await using fixture = await DaemonUnderTest.start({ backend_file: { allowed_roots: `/rhev, ${root}` } });
    const outside = fixture.folder.file('secret');
    await writeFile(outside, Buffer.alloc(sizeBytes, 's'));
    await writeFile(images.file('disk'), Buffer.alloc(sizeBytes, 'd'));
    await symlink(images.file('disk'), fixture.folder.file('in'));
    await symlink(outside, images.file('out'));
    for (const [file, status] of [
      [images.file('disk'), 200],
      [fixture.folder.file('in'), 200],
      [outside, 403],
      [images.file('out'), 403],
    ] as const) {
      const { path } = await fixture.addImage(undefined, { size: sizeBytes, url: `file://${file}` });
      const answer = await fixture.client().request('GET', path);
      assert.equal(answer.status, status, file);
      assert.equal(answer.text, status === 200 ? 'd'.repeat(sizeBytes) : refusal);
    }
    await logged(
      fixture.daemon,
      `leads to ${await realpath(outside)}, which is below none of [backend_file]`,
    );
  });

  test('does not start with one that is no absolute directory', async () => {
    await assert.rejects(
      DaemonUnderTest.start({ backend_file: { allowed_roots: '/images,rhev' } }),
      /\[backend_file\] allowed_roots.*expected absolute directories/,
    );
  });
});
