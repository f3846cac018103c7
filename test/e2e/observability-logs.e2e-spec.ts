import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MiB } from '../../src/base/units.js';
import { ImagesClient, imagePath } from '../support/client.js';
import { eventually } from '../support/deadline.js';
import { writeRandomImage } from '../support/images.js';
import type { Service } from '../support/processes.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { Deployment } from './deployment.js';
import { requestBytes } from './raw-answers.js';

type LogRecord = Readonly<Record<string, unknown>>;

function endOf(service: Service, requestId: string): Promise<LogRecord> {
  return eventually(
    () =>
      service.log.find((record) => record['request_id'] === requestId && record['msg'] === 'Request ended'),
    `the ${service.role} has logged the end of ${requestId}`,
  );
}

/** The fields whose values a test can know. */
function known(record: LogRecord): LogRecord {
  const unknown = new Set(['time', 'pid', 'daemon']);
  return Object.fromEntries(
    Object.entries(record).filter(([name]) => !unknown.has(name) && !name.endsWith('milliseconds')),
  );
}

describe('the log of a request', () => {
  test('is one record at the proxy and one at the daemon, under one id, with what it did', async () => {
    await using deployment = await Deployment.start();
    const image = deployment.folder.file('image');
    await writeRandomImage(image, 3 * MiB);
    const ticketId = await deployment.addTicket('read', image, 3 * MiB, { transfer_id: 'transfer-7' });
    const client = new ImagesClient(deployment.proxy.address('remote'), {
      headers: { Authorization: deployment.signTicket(ticketId, 'transfer-7'), 'X-Request-Id': 'job-1' },
    });
    const answer = await client.request('GET', imagePath(ticketId), {
      headers: { Range: 'bytes=5-1048580' },
    });
    client.close();
    assert.equal(answer.headers['x-request-id'], 'job-1');
    const common = {
      level: 'info',
      request_id: 'job-1',
      listener: 'remote',
      client: '127.0.0.1',
      method: 'GET',
      route: '/images/:id',
      operation: 'read',
      bytes: MiB,
      status: 206,
      complete: true,
      transfer_id: 'transfer-7',
      msg: 'Request ended',
    };
    const daemon = await endOf(deployment.daemon, 'job-1');
    assert.deepEqual(known(daemon), {
      ...common,
      backend: 'file',
      offset: 5,
      length: MiB,
    });
    const proxy = await endOf(deployment.proxy, 'job-1');
    assert.deepEqual(known(proxy), { ...common, backend: 'http' });
    for (const record of [daemon, proxy]) {
      for (const name of ['milliseconds', 'backend_milliseconds', 'client_milliseconds'])
        assert.ok(Number.isInteger(record[name]), name);
    }
    for (const service of [deployment.daemon, deployment.proxy])
      assert.equal(service.log.filter((record) => record['request_id'] === 'job-1').length, 1, service.role);
  });

  test('counts what an upload that broke off has written', async () => {
    await using fixture = await DaemonUnderTest.start();
    const ticket = await fixture.addImage(8 * MiB);
    const socket = await fixture.connect();
    const headers = [`Content-Length: ${8 * MiB}`, 'X-Request-Id: broken'];
    await socket.send(requestBytes('PUT', ticket.path, headers));
    await socket.send(Buffer.alloc(2 * MiB));
    await fixture.ticketState(ticket, ({ transferred }) => transferred === 2 * MiB, '2 MiB are written');
    socket.halfClose();
    await socket.readUntilClose();
    const record = await endOf(fixture.daemon, 'broken');
    assert.deepEqual(
      [record['offset'], record['length'], record['bytes'], record['status'], record['complete']],
      [0, 8 * MiB, 2 * MiB, 400, true],
    );
  });

  test('has a new id where the client sent none or a bad one, and every answer tells it', async () => {
    await using fixture = await DaemonUnderTest.start();
    const client = fixture.client();
    const seen = new Set<unknown>();
    for (const headers of [{}, { 'X-Request-Id': 'a b' }, { 'X-Request-Id': 'x'.repeat(65) }]) {
      const answer = await client.request('GET', '/images/none', { headers });
      assert.equal(answer.status, 403);
      assert.match(String(answer.headers['x-request-id']), /^[0-9a-f-]{36}$/);
      seen.add(answer.headers['x-request-id']);
    }
    assert.equal(seen.size, 3);
    const limit = await client.request('GET', '/none', { headers: { 'X-Request-Id': 'x'.repeat(64) } });
    assert.deepEqual([limit.status, limit.headers['x-request-id']], [404, 'x'.repeat(64)]);
  });

  test('is one line of at most 2 KiB without control characters, whatever clients send', async () => {
    await using fixture = await DaemonUnderTest.start();
    const { vdsm } = fixture;
    const nasty = `line\nend\u001b[2J\u0085\u2028${'ä€'.repeat(120)}`;
    const ticket = await fixture.addImage(4, { transfer_id: nasty });
    const before = fixture.daemon.program.lines.length;
    await fixture.client().request('GET', ticket.path, { headers: { 'X-Request-Id': 'nasty' } });
    await vdsm.request('PUT', `/tickets/${'x'.repeat(12_000)}`, '{"uuid":');
    await fixture.client().request('GET', `/images/x/checksum?algorithm=${'%0a%1b'.repeat(2000)}`);
    await endOf(fixture.daemon, 'nasty');
    await fixture.daemon.stop();
    const lines = fixture.daemon.program.lines.slice(before);
    assert.ok(lines.length >= 4);
    for (const line of lines) {
      assert.ok(Buffer.byteLength(line) < 2048, `${Buffer.byteLength(line)} bytes`);
      assert.doesNotMatch(line, /[\p{Cc}\u2028\u2029]/u);
      JSON.parse(line);
    }
  });

  test('may find nobody who reads it: transfers and the stop go on', async () => {
    await using fixture = await DaemonUnderTest.start();
    const ticket = await fixture.addImage(4);
    fixture.daemon.program.stopReading();
    for (let count = 0; count < 3; count++) {
      assert.equal((await fixture.client().request('PUT', ticket.path, { body: 'DATA' })).status, 200);
      assert.equal((await fixture.client().request('GET', ticket.path)).text, 'DATA');
    }
    await fixture.daemon.stop();
  });
});
