import assert from 'node:assert/strict';
import { open, stat, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { LocalDisk } from '../../src/client/local-disk.js';
import { NodeTransport } from '#sdk';
import { SessionTransport } from '#sdk/transfer';
import { readText } from '#sdk/transfer/http';
import { Deployment } from '../e2e/deployment.js';
import { freePort } from '../support/free-port.js';
import { assertSameImage, writeRandomImage } from '../support/images.js';
import { imageio, startImageio } from './imageio-under-test.js';

const never = new AbortController().signal;
const imageBytes = 24 * MiB;

describe('a client in a session of a proxy', () => {
  let deployment: Deployment;
  let caFile: string;
  let ca: string;
  /** What the end of a session failed with. */
  const left: unknown[] = [];
  before(async () => {
    // Clients find it where it was when it is started again.
    const port = await freePort();
    deployment = await Deployment.start({ proxy: { remote: { port } } });
    ({ caFile, caPem: ca } = deployment.pki);
  });
  after(() => deployment[Symbol.asyncDispose]());

  async function image(name: string): Promise<{ path: string; ticketId: string }> {
    const path = deployment.folder.file(name);
    await writeRandomImage(path, imageBytes);
    return { path, ticketId: await deployment.addTicket('read', path, imageBytes) };
  }

  const openSession = (ticketId: string): Promise<SessionTransport> =>
    SessionTransport.open(
      new NodeTransport({ baseUrl: deployment.proxy.url, ca }),
      deployment.signTicket(ticketId),
      (error) => left.push(error),
    );

  test('opens another one when the proxy was started again, and ends that', async () => {
    const { ticketId } = await image('reopened');
    const transport = await openSession(ticketId);
    await deployment.proxy.program.kill();
    await deployment.restart('proxy');
    const request = { method: 'OPTIONS', path: `/images/${ticketId}` } as const;
    const answers = await Promise.all([1, 2, 3].map(() => transport.send(request, never)));
    for (const answer of answers) {
      assert.equal(answer.status, 200);
      await readText(answer);
    }
    await transport.close();
  });

  test('hears the words of the daemon when the ticket is gone', async () => {
    const { ticketId } = await image('gone');
    const transport = await openSession(ticketId);
    await deployment.daemon.vdsm.removeTicket(ticketId);
    const answer = await transport.send({ method: 'OPTIONS', path: `/images/${ticketId}` }, never);
    assert.equal(answer.status, 403);
    assert.match(await readText(answer), /No such ticket/);
    await transport.close();
  });

  test('has done what it has done when the session cannot be ended', async () => {
    const { ticketId } = await image('left');
    const transport = await openSession(ticketId);
    await deployment.proxy.program.kill();
    await transport.close();
    assert.equal(left.length, 1);
    await deployment.restart('proxy');
  });

  test('does not go on with what it had of another image', async () => {
    const [one, other] = [await image('one'), await image('other')];
    const copy = deployment.folder.file('copy');
    const signed = deployment.folder.file('signed');
    const stateHome = deployment.folder.file('state');
    const command = ['download', deployment.proxy.url, copy, '--cafile', caFile, '--signed-ticket', signed];
    await writeFile(signed, deployment.signTicket(one.ticketId));
    const first = await startImageio([...command, '--limit-rate', '8m', '--output', 'json'], stateHome);
    await first.waitForLine((line) => (/"sent":[1-9]\d{6}/.test(line) ? line : undefined), 'some came');
    first.signal('SIGHUP');
    assert.deepEqual(await first.waitForExit(), { code: 130, signal: null });
    await writeFile(signed, deployment.signTicket(other.ticketId));
    const second = await imageio(command, { stateHome });
    assert.equal(second.code, 0, second.stderr);
    await assertSameImage(copy, other.path);
  });

  test('goes on with the same image under another ticket', async () => {
    const { path, ticketId } = await image('same');
    const copy = deployment.folder.file('same-copy');
    const signed = deployment.folder.file('same-signed');
    const stateHome = deployment.folder.file('same-state');
    const command = ['download', deployment.proxy.url, copy, '--cafile', caFile, '--signed-ticket', signed];
    await writeFile(signed, deployment.signTicket(ticketId));
    const first = await startImageio([...command, '--limit-rate', '8m', '--output', 'json'], stateHome);
    await first.waitForLine((line) => (/"sent":[1-9]\d{6}/.test(line) ? line : undefined), 'some came');
    first.signal('SIGTERM');
    assert.deepEqual(await first.waitForExit(), { code: 130, signal: null });
    const another = await deployment.addTicket('read', path, imageBytes);
    await writeFile(signed, deployment.signTicket(another));
    const second = await imageio(command, { stateHome });
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stdout, /there before/);
    await assertSameImage(copy, path);
  });

  test('has its state before the file that it downloads to has anything in it', async () => {
    const path = deployment.folder.file('made');
    const sizes: number[] = [];
    const beforeMade = async (): Promise<void> => {
      sizes.push((await stat(path)).size);
    };
    const options = { format: 'raw', sizeBytes: MiB, mayExist: false, beforeMade } as const;
    await (await LocalDisk.openTarget(path, options))[Symbol.asyncDispose]();
    await using file = await open(path);
    assert.deepEqual([sizes, (await file.stat()).size], [[0], MiB]);
  });
});
