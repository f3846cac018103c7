import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { writeRandomImage } from '../support/images.js';
import { Pki } from '../support/pki.js';
import { startDaemon, type Service } from '../support/processes.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import type { TicketDocument } from '../support/vdsm.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { Deployment } from './deployment.js';

const told = ['listener', 'method', 'status', 'size', 'ops', 'timeout', 'operation'];

/**
 * The records of a transfer, found by its name as an operator does: where, what was asked
 * and answered, what else they say.
 */
function story(service: Service, transferId: string): string[] {
  return service.log
    .filter((record) => record['transfer_id'] === transferId)
    .map((record) => told.flatMap((name) => (name in record ? [String(record[name])] : [])).join(' '));
}

/** @throws unless the service has told exactly this of the transfer, after a while */
async function assertStory(service: Service, transferId: string, expected: readonly string[]): Promise<void> {
  await eventually(
    () => story(service, transferId).length >= expected.length || undefined,
    `the ${service.role} has logged ${expected.length} records of ${transferId}`,
  );
  assert.deepEqual(story(service, transferId), expected);
}

function assertNoneLogged(services: readonly Service[], secrets: readonly string[]): void {
  for (const { role, logText } of services)
    for (const secret of secrets) assert.ok(!logText.includes(secret), `the ${role} has logged a secret`);
}

describe('a transfer in the log', () => {
  test('is found by its name from add to remove, at control service, daemon and proxy', async () => {
    await using deployment = await Deployment.start();
    const { daemon, proxy, folder } = deployment;
    const image = folder.file('image');
    await writeRandomImage(image, MiB);
    const id = await deployment.addTicket('read', image, MiB, { transfer_id: 'transfer-1' });
    const path = imagePath(id);
    // Monitoring asks all the time, and says nothing.
    await daemon.vdsm.getTicket(id);
    await daemon.vdsm.listTickets();
    const relayed = new ImagesClient(proxy.address('remote'));
    const signed = { headers: { Authorization: deployment.signTicket(id, 'transfer-1') } };
    const sessionId = String((await relayed.request('POST', '/sessions/', signed)).headers['session-id']);
    const session = { headers: { 'Session-Id': sessionId } };
    const straight = new ImagesClient(daemon.address('remote'));

    assert.equal((await straight.request('GET', path)).status, 200);
    assert.equal((await relayed.request('GET', path, session)).status, 200);
    assert.equal((await straight.request('PUT', path, { body: 'x' })).status, 403);
    assert.equal((await relayed.request('PUT', path, { ...session, body: 'x' })).status, 403);
    await daemon.vdsm.extendTicket(id, 0);
    assert.equal((await straight.request('GET', path)).status, 403);
    assert.equal((await relayed.request('GET', path, session)).status, 403);
    await daemon.vdsm.extendTicket(id, 600);
    assert.equal((await straight.request('GET', `${path}/checksum?algorithm=no`)).status, 400);
    assert.equal((await daemon.vdsm.request('PATCH', `/tickets/${id}`, '{"timeout": -1}')).status, 400);
    await daemon.vdsm.removeTicket(id);
    assert.equal((await straight.request('GET', path)).status, 403);
    assert.equal((await relayed.request('DELETE', `/sessions/${sessionId}`)).status, 204);
    straight.close();
    relayed.close();

    await assertStory(daemon, 'transfer-1', [
      `control PUT 200 ${MiB} read 300`,
      'remote GET 200 read',
      'remote GET 200 read',
      'remote PUT 403',
      'remote PUT 403',
      'control PATCH 200 0',
      'remote GET 403',
      'remote GET 403',
      'control PATCH 200 600',
      'remote GET 400',
      'control PATCH 400',
      'control DELETE 204',
    ]);
    await assertStory(proxy, 'transfer-1', [
      'remote POST 200',
      'remote GET 200 read',
      'remote PUT 403 write',
      'remote GET 403 read',
      'remote DELETE 204',
    ]);
    assertNoneLogged([daemon, proxy], [id, sessionId]);
  });

  test('is found at a proxy whose own tickets refuse it, and that removes them all', async () => {
    await using deployment = await Deployment.start();
    const { daemon, proxy } = deployment;
    const id = randomUUID();
    const url = `${daemon.url}${imagePath(randomUUID())}`;
    const ticket = {
      uuid: id,
      size: 4,
      ops: ['read'],
      timeout: 300,
      url,
      transfer_id: 'transfer-2',
    } as const;
    await proxy.vdsm.addTicket(ticket);
    const client = new ImagesClient(proxy.address('remote'));
    assert.equal((await client.request('PUT', imagePath(id), { body: 'x' })).status, 403);
    await proxy.vdsm.extendTicket(id, 0);
    assert.equal((await client.request('GET', imagePath(id))).status, 403);
    assert.equal((await proxy.vdsm.request('DELETE', '/tickets/')).status, 204);
    client.close();
    await assertStory(proxy, 'transfer-2', [
      'control PUT 200 4 read 300',
      'remote PUT 403',
      'control PATCH 200 0',
      'remote GET 403',
      '',
    ]);
    const removed = proxy.log.find(({ msg }) => msg === 'Ticket removed');
    const request = await eventually(
      () => proxy.log.find(({ method, listener }) => method === 'DELETE' && listener === 'control'),
      'the request is in the log',
    );
    assert.equal(removed?.['request_id'], request['request_id']);
    assertNoneLogged([proxy], [id, url]);
  });

  test('is found where the engine stored its signed ticket at the proxy', async () => {
    await using deployment = await Deployment.start();
    const { proxy } = deployment;
    const id = randomUUID();
    const client = new ImagesClient(proxy.address('remote'));
    const signed = deployment.signTicket(id, 'transfer-3');
    assert.equal((await client.request('PUT', '/tickets/', { body: signed })).status, 200);
    assert.equal((await client.request('PUT', `/tickets/${id}`, { body: signed })).status, 200);
    assert.equal((await client.request('DELETE', `/tickets/${id}`)).status, 204);
    client.close();
    await assertStory(proxy, 'transfer-3', ['remote PUT 200', 'remote PUT 200', 'remote DELETE 204']);
    assertNoneLogged([proxy], [id, signed]);
  });

  test('has the same name at daemon and proxy when the engine gave it none', async () => {
    await using deployment = await Deployment.start();
    const { daemon, proxy, folder } = deployment;
    const image = folder.file('image');
    await writeFile(image, 'data');
    const id = await deployment.addTicket('read', image, 4);
    const client = new ImagesClient(proxy.address('remote'));
    const headers = { Authorization: deployment.signTicket(id) };
    assert.equal((await client.request('GET', imagePath(id), { headers })).status, 200);
    client.close();
    const { transfer_id: name } = await daemon.vdsm.getTicket(id);
    await assertStory(daemon, name, ['control PUT 200 4 read 300', 'remote GET 200 read']);
    await assertStory(proxy, name, ['remote GET 200 read']);
    assertNoneLogged([daemon, proxy], [id]);
  });

  test('begins with the file that its ticket was installed from', async () => {
    await using folder = await TemporaryFolder.create();
    const pki = await Pki.create(folder.path);
    const file = folder.file('ticket.json');
    const ticket = {
      uuid: randomUUID(),
      size: 4,
      ops: ['read', 'write'],
      timeout: 9,
      url: 'file:///nowhere',
      transfer_id: 'transfer-4',
    } satisfies TicketDocument;
    await writeFile(file, JSON.stringify(ticket));
    const daemon = await startDaemon({ folder: folder.path, pki, args: ['-t', file] });
    await assertStory(daemon, 'transfer-4', ['4 read,write 9']);
    assertNoneLogged([daemon], [ticket.uuid]);
    await daemon.stop();
  });

  test('is not told of ids that no ticket has', async () => {
    await using fixture = await DaemonUnderTest.start();
    const id = randomUUID();
    assert.equal((await fixture.client().request('GET', imagePath(id))).status, 403);
    assert.equal((await fixture.vdsm.request('PATCH', `/tickets/${id}`, '{"timeout": 1}')).status, 404);
    assert.equal((await fixture.vdsm.request('DELETE', `/tickets/${id}`)).status, 204);
    await fixture.daemon.stop();
    const ended = fixture.daemon.log.filter(({ msg }) => msg === 'Request ended');
    assert.deepEqual(
      ended.map(({ status, transfer_id: name }) => [status, name]),
      [
        [403, undefined],
        [404, undefined],
        [204, undefined],
      ],
    );
    assertNoneLogged([fixture.daemon], [id]);
  });

  test('is watched without a word, unless the log is for debugging', async () => {
    await using fixture = await DaemonUnderTest.start({ logging: { level: 'debug' } });
    const { id } = await fixture.addImage(4, { transfer_id: 'transfer-5' });
    await fixture.vdsm.getTicket(id);
    await fixture.vdsm.listTickets();
    assert.equal((await fixture.vdsm.request('GET', '/tickets/none')).status, 404);
    await fixture.daemon.stop();
    const gets = fixture.daemon.log.filter(({ method }) => method === 'GET');
    assert.deepEqual(
      gets.map(({ level, status, transfer_id: name }) => [level, status, name]),
      [
        ['debug', 200, 'transfer-5'],
        ['debug', 200, undefined],
        ['info', 404, undefined],
      ],
    );
  });
});
