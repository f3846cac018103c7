import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { assertSameImage, writeRandomImage } from '../support/images.js';
import { callAsJavaEngine } from '../support/java-engine.js';
import type { TicketInfo } from '../support/vdsm.js';
import { Deployment } from './deployment.js';

const imageBytes = 8 * MiB;

// Engines since 2020 add a ticket at the proxy's control service too, whose url is the image at
// the daemon: no session is needed.
describe('a transfer with a ticket at the proxy', () => {
  let deployment: Deployment;
  let source: string;
  let target: string;
  let client: ImagesClient;

  before(async () => {
    deployment = await Deployment.start();
    source = deployment.folder.file('source');
    target = deployment.folder.file('target');
    await writeRandomImage(source, imageBytes);
    await (await open(target, 'w')).close();
    client = new ImagesClient(deployment.proxy.address('remote'));
  });
  after(async () => {
    client.close();
    await deployment[Symbol.asyncDispose]();
  });

  /**
   * Adds both tickets, as the engine's Java client does at the proxy.
   * @returns the id of the one at the proxy
   */
  const addTickets = async (operation: 'read' | 'write', file: string): Promise<string> => {
    const daemonTicketId = await deployment.addTicket(operation, file, imageBytes);
    const uuid = randomUUID();
    const url = `${deployment.daemon.url}${imagePath(daemonTicketId)}`;
    const ticket = { uuid, size: imageBytes, ops: [operation], timeout: 300, url, transfer_id: 'relayed' };
    const control = deployment.proxy.address('control');
    const answer = await callAsJavaEngine(control, 'PUT', `/tickets/${uuid}`, JSON.stringify(ticket));
    assert.equal(answer.status, 200, answer.body);
    return uuid;
  };
  const progress = async (ticketId: string): Promise<TicketInfo> => {
    const { status, body } = await callAsJavaEngine(
      deployment.proxy.address('control'),
      'GET',
      `/tickets/${ticketId}`,
    );
    assert.equal(status, 200, body);
    return JSON.parse(body) as TicketInfo;
  };

  test('uploads in chunks, which the proxy counts', async () => {
    const ticketId = await addTickets('write', target);
    await client.upload(ticketId, source, { chunkBytes: 3 * MiB });
    await assertSameImage(target, source);
    const info = await eventually(async () => {
      const found = await progress(ticketId);
      return found.active ? undefined : found;
    }, 'no request is running');
    assert.equal(info.transferred, imageBytes);
  });

  test('downloads, which the proxy counts', async () => {
    const ticketId = await addTickets('read', source);
    const file = deployment.folder.file('downloaded');
    await client.download(ticketId, file);
    await assertSameImage(file, source);
    assert.equal((await progress(ticketId)).transferred, imageBytes);
  });

  test('stops writing when the ticket at the proxy is removed, and the daemon stops too', async () => {
    const ticketId = await addTickets('write', target);
    const body = new PassThrough();
    const sending = client.request('PUT', imagePath(ticketId), {
      headers: { 'Content-Length': imageBytes },
      body,
    });
    const outcome = sending.then(
      ({ status }) => status,
      () => 'cut off',
    );
    body.write(Buffer.alloc(2 * MiB));
    await eventually(
      async () => ((await progress(ticketId)).transferred === 2 * MiB ? true : undefined),
      'the first part has been relayed',
    );
    await deployment.proxy.vdsm.removeTicket(ticketId);
    assert.ok([403, 'cut off'].includes(await outcome));
    await eventually(
      async () =>
        (await deployment.daemon.vdsm.listTickets()).some(({ active }) => active) ? undefined : true,
      'the daemon has stopped',
    );
    assert.equal((await client.request('GET', imagePath(ticketId))).status, 401);
  });

  test('keeps the ticket id of the daemon from a client that the daemon refuses', async () => {
    const ticketId = await addTickets('read', source);
    await deployment.daemon.vdsm.request('DELETE', '/tickets/');
    const response = await client.open('GET', imagePath(ticketId));
    assert.equal(response.statusCode, 403);
    response.resume();
    await once(response, 'end');
    for (const { logText } of [deployment.daemon, deployment.proxy]) assert.ok(!logText.includes(ticketId));
  });
});
