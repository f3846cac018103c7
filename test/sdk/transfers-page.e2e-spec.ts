import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { after, before, beforeEach, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { DaemonUnderTest, type ImageTicket } from '../e2e/daemon-under-test.js';
import type { TicketDocument } from '../support/vdsm.js';
import { Program } from '../support/program.js';
import { pinnedNode } from '../support/project.js';
import { CutWay } from './cut-way.js';
import { writeDocumentedPrograms } from './documented-program.js';

const sizeBytes = 24 * MiB + 512;
/** `CHANGED_IMAGE_MIB=1024 npm test -- transfers-page` takes an image of 1 GiB. */
const changedImageMiB = Number(process.env['CHANGED_IMAGE_MIB'] ?? 100);

describe('the program of the page on transfers', () => {
  let fixture: DaemonUnderTest;
  let image: ImageTicket;
  let content: Buffer;
  beforeEach(() => {
    content = randomBytes(sizeBytes);
  });
  before(async () => {
    fixture = await DaemonUnderTest.start();
    await writeDocumentedPrograms('../transfers.md', fixture.folder.path);
  });
  after(() => fixture[Symbol.asyncDispose]());

  function daemonPort(): number {
    const address = fixture.daemon.address('remote');
    assert.ok(address.kind === 'tls');
    return address.port;
  }

  /** Starts an upload of new content over an image with old content, by a way that can be cut. */
  async function startUpload(
    way: CutWay,
    ticket: Partial<TicketDocument> = {},
    old: Buffer = randomBytes(sizeBytes),
  ): Promise<Program> {
    const source = fixture.folder.file('source');
    await writeFile(source, content);
    image = await fixture.addImage(old, ticket);
    const url = `https://localhost:${way.port}${image.path}`;
    return Program.start(pinnedNode, [fixture.folder.file('upload.mjs'), url, source], {
      env: { NODE_EXTRA_CA_CERTS: fixture.pki.caFile },
    });
  }

  async function assertDone(program: Program): Promise<void> {
    const { code } = await program.waitForExit(60_000);
    assert.equal(code, 0, program.lastLines());
    assert.ok((await fixture.contentOf(image)).equals(content), 'the image is not the file');
  }

  test('goes on where it was when its connections are cut', async () => {
    await using way = await CutWay.to(daemonPort());
    const program = await startUpload(way);
    for (let cut = 0; cut < 3; cut += 1) await way.cutAfter(6 * MiB);
    await assertDone(program);
    // Nothing twice but the blocks that were on their way, four each time.
    assert.ok(way.passedBytes < sizeBytes + 3 * 4 * MiB + 2 * MiB, `${way.passedBytes} bytes were sent`);
  });

  test('sends 1 % of an image that has changed in no more than 1.2 % of its bytes', async () => {
    await using way = await CutWay.to(daemonPort());
    const imageBytes = changedImageMiB * MiB;
    content = randomBytes(imageBytes);
    const changedBytes = Math.floor(imageBytes / 100);
    const lastBlock = Math.floor((imageBytes - changedBytes) / MiB);
    const old = Buffer.from(content);
    randomBytes(changedBytes).copy(old, randomInt(lastBlock + 1) * MiB);
    await assertDone(await startUpload(way, {}, old));
    const share = way.passedBytes / imageBytes;
    assert.ok(share <= 0.012, `${way.passedBytes} bytes were sent, ${(100 * share).toFixed(2)} %`);
  });

  test('goes on when the daemon was killed and the ticket is added again', async () => {
    await using way = await CutWay.to(daemonPort());
    const program = await startUpload(way);
    await way.cutAfter(16 * MiB);
    way.targetPort = undefined;
    await fixture.daemon.program.kill();
    await fixture.restart();
    await fixture.vdsm.addTicket(image.document);
    way.targetPort = daemonPort();
    await assertDone(program);
    const { transferred = sizeBytes } = await fixture.vdsm.getTicket(image.id);
    assert.ok(transferred < sizeBytes - 8 * MiB, `${transferred} bytes were sent again`);
  });

  test('ends with a failure when the ticket does not let it write', async () => {
    await using way = await CutWay.to(daemonPort());
    const program = await startUpload(way, { ops: ['read'] });
    const { code } = await program.waitForExit(60_000);
    assert.equal(code, 1, program.lastLines());
  });
});
