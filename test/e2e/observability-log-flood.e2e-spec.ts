import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../support/deadline.js';
import type { Service } from '../support/processes.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { parseAnswers, requestBytes } from './raw-answers.js';
import { describeWire, type Wire } from './wire-under-test.js';

type LogRecord = Readonly<Record<string, unknown>>;

const flood = 500;

/** The default of `[limits] unauthorised_records_per_sec`. */
const recordsPerSecond = 5;

describeWire(
  'a flood of requests without a ticket',
  { routes: ['straight to the daemon', 'over the local socket', 'through the proxy with a session'] },
  (wire) => {
    for (const [what, request, status] of [
      ['refused', requestBytes('GET', '/none'), 404],
      ['answered', requestBytes('OPTIONS', '/images/*'), 200],
    ] as const) {
      test(`that are ${what} is counted, and takes less of the log than it sent`, async () => {
        const before = wire.service.program.lines.length;
        const sentBytes = await sendAll(wire, request, status);
        const records = await recordsSince(wire.service, before, withStatus(status), flood);
        const sums = records.filter(({ records: summed }) => summed !== undefined);
        for (const sum of sums) assert.equal(sum['client'], isLocal(wire) ? undefined : '127.0.0.1');
        // A second has at most one sum, and what came after the last one is in a second without.
        assert.ok(records.length - sums.length <= recordsPerSecond * (sums.length + 1));
        const logBytes = bytesSince(wire.service, before);
        assert.ok(logBytes <= sentBytes, `${logBytes} bytes of log for ${sentBytes} bytes`);
      });
    }

    test('hides no request that has one, refused or not', async () => {
      const image = await wire.addImage(Buffer.from('DATA'), { ops: ['read'], transfer_id: 'honest' });
      const before = wire.service.program.lines.length;
      const client = wire.client();
      const flooding = sendAll(wire, requestBytes('GET', '/none'), 404);
      const ids: string[] = [];
      for (let count = 0; count < 20; count++) {
        const read = await client.request('GET', image.path, {
          headers: { 'X-Request-Id': `read-${before}-${count}` },
        });
        assert.equal(read.status, 200);
        const past = await client.request('GET', image.path, {
          headers: { 'X-Request-Id': `past-${before}-${count}`, Range: 'bytes=9-' },
        });
        assert.equal(past.status, 416);
        ids.push(`read-${before}-${count}`, `past-${before}-${count}`);
      }
      await flooding;
      await recordsSince(wire.service, before, withStatus(404), flood);
      const logged = (): ReadonlySet<unknown> => new Set(wire.service.log.map(({ request_id: id }) => id));
      await eventually(
        () => ids.every((id) => logged().has(id)) || undefined,
        'every request with a ticket is in the log',
      );
    });
  },
);

describe('a flood without a ticket', () => {
  test('of what is no request is counted too', async () => {
    await using fixture = await DaemonUnderTest.start();
    const before = fixture.daemon.program.lines.length;
    const count = 30;
    for (let sent = 0; sent < count; sent++) {
      const socket = await fixture.connect();
      await socket.send('GET /none HTTP/1.1\r\nbroken\r\n\r\n');
      await socket.readUntil('HTTP/1.1 400');
      socket.close();
    }
    const records = await recordsSince(
      fixture.daemon,
      before,
      withMessage('Request cannot be parsed'),
      count,
    );
    assert.ok(records.length < count, `${records.length} records`);
  });

  test('that a stop follows is counted to the last request', async () => {
    await using fixture = await DaemonUnderTest.start();
    const before = fixture.daemon.program.lines.length;
    const socket = await fixture.connect();
    const count = 16;
    await socket.send(requestBytes('GET', '/none').repeat(count));
    await eventually(() => countAnswers(socket.received) === count || undefined, 'all are answered');
    await fixture.daemon.stop();
    assert.equal(countOf(fixture.daemon.log.slice(before), withMessage('Request ended')), count);
  });

  test('at the control service is summed up when it is refused, and all that succeeds is told', async () => {
    await using fixture = await DaemonUnderTest.start();
    const { vdsm } = fixture;
    const before = fixture.daemon.program.lines.length;
    const count = 20;
    for (let sent = 0; sent < count; sent++) {
      assert.equal((await vdsm.request('GET', '/tickets/none')).status, 404);
      assert.equal((await vdsm.request('DELETE', '/tickets/none')).status, 204);
    }
    const records = await recordsSince(fixture.daemon, before, withMessage('Request ended'), 2 * count);
    assert.equal(records.filter(({ method }) => method === 'DELETE').length, count);
    assert.ok(records.filter(({ method }) => method === 'GET').length < count);
  });
});

/** Sends the request over and over on one connection. @returns how many bytes it sent */
async function sendAll(wire: Wire, request: string, status: number): Promise<number> {
  const socket = await wire.connect();
  // As many as may wait on a connection.
  const together = 10;
  for (let sent = 0; sent < flood; sent += together) {
    await socket.send(request.repeat(together));
    await eventually(
      () => countAnswers(socket.received) === sent + together || undefined,
      `answer ${sent + together}`,
      { intervalMs: 1 },
    );
  }
  const statuses = parseAnswers(socket.received).map((answer) => answer.status);
  assert.deepEqual(new Set(statuses), new Set([status]));
  socket.close();
  return flood * request.length;
}

function countAnswers(received: Buffer): number {
  return received.toString('latin1').split('HTTP/1.1 ').length - 1;
}

/** For how many of the wanted requests a record stands, itself or as a sum; undefined for none. */
type Count = (record: LogRecord) => number | undefined;

function withMessage(msg: string): Count {
  return (record) => (record['msg'] === msg ? 1 : countsOf(record, 'messages')[msg]);
}

function withStatus(status: number): Count {
  return (record) =>
    record['msg'] === 'Request ended' && record['status'] === status
      ? 1
      : countsOf(record, 'statuses')[status];
}

function countsOf(record: LogRecord, field: string): Record<string, number> {
  return (record[field] ?? {}) as Record<string, number>;
}

function countOf(records: readonly LogRecord[], count: Count): number {
  return records.reduce((total, record) => total + (count(record) ?? 0), 0);
}

/** Waits until `wanted` requests are logged or summed up, and no more. @returns the records, sums included */
async function recordsSince(
  service: Service,
  before: number,
  count: Count,
  wanted: number,
): Promise<readonly LogRecord[]> {
  const records = (): LogRecord[] =>
    service.log.slice(before).filter((record) => count(record) !== undefined);
  await eventually(
    () => countOf(records(), count) >= wanted || undefined,
    `the ${service.role} has logged ${wanted} requests`,
  );
  assert.equal(countOf(records(), count), wanted);
  return records();
}

function bytesSince(service: Service, before: number): number {
  return service.program.lines.slice(before).reduce((total, line) => total + Buffer.byteLength(line) + 1, 0);
}

function isLocal(wire: Wire): boolean {
  return wire.route === 'over the local socket';
}
