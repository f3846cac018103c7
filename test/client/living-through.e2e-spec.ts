import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { Deployment } from '../e2e/deployment.js';
import { CutWay } from '../sdk/cut-way.js';
import { freePort } from '../support/free-port.js';
import { assertSameImage, writeRandomImage } from '../support/images.js';
import type { Program } from '../support/program.js';
import { imageio, startImageio } from './imageio-under-test.js';

const imageBytes = 16 * MiB;
/** The long form: `IMAGEIO_CUT_SECONDS=30`. */
const cutSeconds = Number(process.env['IMAGEIO_CUT_SECONDS'] ?? 2);
/** After a cut it may be as long again until it is tried once more. */
const patienceMs = (60 + 2 * cutSeconds) * 1000;

describe('one command of imageio lives through', () => {
  let deployment: Deployment;
  let cafile: string;
  let original: string;
  before(async () => {
    // The same port after it was started again.
    deployment = await Deployment.start({ proxy: { remote: { port: await freePort() } } });
    cafile = deployment.pki.caFile;
    original = deployment.folder.file('original');
    await writeRandomImage(original, imageBytes);
  });
  after(() => deployment[Symbol.asyncDispose]());

  async function emptyImage(): Promise<string> {
    const path = deployment.folder.file(randomUUID());
    await using image = await open(path, 'w');
    await image.truncate(imageBytes);
    return path;
  }

  const start = (...args: readonly string[]): Promise<Program> =>
    startImageio(
      [...args, '--cafile', cafile, '--limit-rate', '8m', '--buffer-size', '1m', '--output', 'json'],
      deployment.folder.file('state'),
    );

  async function wayToDaemon(): Promise<CutWay> {
    const address = deployment.daemon.address('remote');
    assert.ok(address.kind === 'tls');
    return CutWay.to(address.port);
  }

  test('a network that is away for a while, in both directions', async () => {
    const [image, copy] = [await emptyImage(), deployment.folder.file(randomUUID())];
    await using way = await wayToDaemon();
    const { targetPort } = way;
    const url = `https://localhost:${way.port}/images/${await deployment.addTicket('write', image, imageBytes)}`;
    for (const command of [
      ['upload', original, url, '--verify'],
      ['download', url, copy],
    ]) {
      const program = await start(...command);
      await program.waitForLine((line) => (countIn(line, 'sent') > 2 * MiB ? line : undefined), 'some moved');
      way.targetPort = undefined;
      way.cut();
      await setTimeout(cutSeconds * 1000);
      way.targetPort = targetPort;
      const exit = await program.waitForExit(patienceMs);
      assert.deepEqual(exit, { code: 0, signal: null }, program.lastLines());
      assert.ok(program.lines.some((line) => countIn(line, 'retries') > 0));
    }
    await assertSameImage(image, original);
    await assertSameImage(copy, original);
  });

  test('a service that is not there yet', async () => {
    const image = await emptyImage();
    await using way = await wayToDaemon();
    const { targetPort } = way;
    way.targetPort = undefined;
    const ticket = await deployment.addTicket('write', image, imageBytes);
    const program = await start('upload', original, `https://localhost:${way.port}/images/${ticket}`);
    await program.waitForLine((line) => (/; again in /.test(line) ? line : undefined), 'it to try again');
    way.targetPort = targetPort;
    assert.deepEqual(await program.waitForExit(), { code: 0, signal: null }, program.lastLines());
    await assertSameImage(image, original);
  });

  test('a proxy that forgets its sessions', async () => {
    const image = await emptyImage();
    const signed = deployment.folder.file('signed');
    await writeFile(signed, deployment.signTicket(await deployment.addTicket('write', image, imageBytes)));
    const program = await start('upload', original, deployment.proxy.url, '--signed-ticket', signed);
    await program.waitForLine((line) => (countIn(line, 'sent') > 2 * MiB ? line : undefined), 'some moved');
    await deployment.proxy.program.kill();
    await deployment.restart('proxy');
    assert.deepEqual(await program.waitForExit(), { code: 0, signal: null }, program.lastLines());
    await assertSameImage(image, original);
  });

  test('a ticket that is gone for a while', async () => {
    const image = await emptyImage();
    const ticket = await deployment.addTicket('write', image, imageBytes);
    const program = await start('upload', original, `${deployment.daemon.url}/images/${ticket}`);
    await program.waitForLine((line) => (countIn(line, 'sent') > 2 * MiB ? line : undefined), 'some moved');
    await deployment.daemon.vdsm.removeTicket(ticket);
    await program.waitForLine((line) => (countIn(line, 'retries') > 0 ? line : undefined), 'a refusal');
    await deployment.addTicket('write', image, imageBytes, { uuid: ticket });
    assert.deepEqual(await program.waitForExit(), { code: 0, signal: null }, program.lastLines());
    await assertSameImage(image, original);
  });

  test('and gives up a ticket that stays gone, in the words of the service', async () => {
    const ticket = await deployment.addTicket('write', await emptyImage(), imageBytes);
    const program = await start(
      ...['upload', original, `${deployment.daemon.url}/images/${ticket}`, '--retries', '2'],
    );
    await program.waitForLine((line) => (countIn(line, 'sent') > 2 * MiB ? line : undefined), 'some moved');
    await deployment.daemon.vdsm.removeTicket(ticket);
    assert.deepEqual(await program.waitForExit(), { code: 4, signal: null }, program.lastLines());
    assert.ok(program.lines.some((line) => line.includes('No such ticket')));
  });

  test('but not a ticket that never was, nor one that only reads', async () => {
    const reads = await deployment.addTicket('read', await emptyImage(), imageBytes);
    for (const ticket of [randomUUID(), reads]) {
      const { code, stderr } = await imageio(
        ['upload', original, `${deployment.daemon.url}/images/${ticket}`, '--cafile', cafile],
        { stateHome: deployment.folder.file('state') },
      );
      assert.equal(code, 4);
      assert.doesNotMatch(stderr, /again in/);
    }
  });
});

function countIn(line: string, name: string): number {
  if (!line.startsWith('{')) return 0;
  return (JSON.parse(line) as Record<string, number | undefined>)[name] ?? 0;
}
