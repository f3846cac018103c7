import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import type { RecordLevel } from './record-sink.js';
import { createLogger } from '../log/logger.js';
import { StrangerRecords } from './stranger-records.js';

interface Written {
  readonly level: RecordLevel;
  readonly msg: string;
  readonly client?: string;
  readonly status?: number;
  readonly records?: number;
  readonly messages?: Record<string, number>;
  readonly statuses?: Record<string, number>;
  readonly milliseconds?: number;
}

const summedUp = 'Records without a ticket summed up';

/** Records of a listener, whose clock and timer go on together. */
class Fixture {
  readonly written: Written[] = [];
  readonly records: StrangerRecords;
  #seconds = 100;

  constructor({ recordsPerSecondMax = 5, level = 'info' } = {}) {
    const log = createLogger(
      { level, format: 'json', recordBytesMax: 2048 },
      { write: (line) => this.written.push(JSON.parse(line) as Written) },
    );
    const clock = { monotonicSeconds: () => this.#seconds, unixSeconds: () => 0 };
    this.records = new StrangerRecords({ listener: 'remote', recordsPerSecondMax }, clock, log);
  }

  refuse(client: string | undefined, count: number, status = 403, level: RecordLevel = 'info'): void {
    for (let done = 0; done < count; done++) this.records.write(level, { client, status }, 'Request ended');
  }

  pass(seconds: number): void {
    this.#seconds += seconds;
    mock.timers.tick(seconds * 1000);
  }

  /** Those that are written as they are. */
  get single(): readonly Written[] {
    return this.written.filter(({ msg }) => msg !== summedUp);
  }

  get sums(): readonly Written[] {
    return this.written.filter(({ msg }) => msg === summedUp);
  }

  /** How many records there are, those in the sums included. */
  get total(): number {
    return this.sums.reduce((total, { records = 0 }) => total + records, this.single.length);
  }
}

describe('log records without a ticket', () => {
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
  });
  afterEach(() => {
    mock.timers.reset();
  });

  test('are written as they are while they are few, and nothing follows', () => {
    const fixture = new Fixture();
    fixture.refuse('192.0.2.1', 5);
    fixture.pass(10);
    assert.equal(fixture.single.length, 5);
    assert.deepEqual(fixture.sums, []);
  });

  test('become one record with counts when the second ends', () => {
    const fixture = new Fixture();
    fixture.refuse('192.0.2.1', 400, 403);
    fixture.refuse('192.0.2.1', 90, 404);
    fixture.records.write('info', { client: '192.0.2.1', status: 400 }, 'Request cannot be parsed');
    fixture.records.write('info', { client: '192.0.2.1' }, 'TLS handshake failed');
    fixture.pass(0.9);
    assert.equal(fixture.sums.length, 0);
    fixture.pass(0.1);
    const known = fixture.sums.map((sum) => ({ ...sum, time: undefined, pid: undefined }));
    assert.deepEqual(known, [
      {
        level: 'info',
        time: undefined,
        pid: undefined,
        listener: 'remote',
        client: '192.0.2.1',
        records: 487,
        messages: { 'Request ended': 485, 'Request cannot be parsed': 1, 'TLS handshake failed': 1 },
        statuses: { 403: 395, 404: 90, 400: 1 },
        milliseconds: 1000,
        msg: summedUp,
      },
    ]);
    assert.equal(fixture.total, 492);
  });

  test('are written as they are again in the next second', () => {
    const fixture = new Fixture();
    for (let second = 0; second < 3; second++) {
      fixture.refuse('192.0.2.1', 20);
      fixture.pass(1);
    }
    assert.equal(fixture.single.length, 15);
    assert.deepEqual(
      fixture.sums.map(({ records }) => records),
      [15, 15, 15],
    );
  });

  test('are summed up for each network: an IPv4 address, a /64 of IPv6, the clients of this host', () => {
    const fixture = new Fixture({ recordsPerSecondMax: 0 });
    fixture.refuse('192.0.2.1', 1);
    fixture.refuse('::ffff:192.0.2.1', 1);
    fixture.refuse('192.0.2.2', 3);
    fixture.refuse('2001:db8::1', 4);
    fixture.refuse('2001:db8::2', 5);
    fixture.refuse(undefined, 6);
    fixture.pass(1);
    assert.equal(fixture.single.length, 0);
    assert.deepEqual(
      fixture.sums.map(({ client, records }) => [client, records]),
      [
        ['192.0.2.1', 2],
        ['192.0.2.2', 3],
        ['2001:db8:0:0::/64', 9],
        [undefined, 6],
      ],
    );
  });

  test('of a crowd of networks are ten times those of one, a hundred sums, and one for all others', () => {
    const fixture = new Fixture();
    for (let network = 0; network < 1000; network++)
      fixture.refuse(`10.0.${network >> 8}.${network & 255}`, 7);
    fixture.pass(1);
    assert.equal(fixture.single.length, 50);
    assert.equal(fixture.sums.length, 101);
    assert.equal(fixture.sums.at(-1)?.client, 'others');
    assert.equal(fixture.sums.at(-1)?.records, 900 * 7);
    assert.equal(fixture.total, 7000);
  });

  test('of each level are counted apart, so that no flood of refusals hides a failure', () => {
    const fixture = new Fixture();
    fixture.refuse('192.0.2.1', 1000);
    fixture.refuse('192.0.2.1', 7, 503, 'error');
    fixture.pass(1);
    assert.equal(fixture.single.filter(({ level }) => level === 'error').length, 5);
    assert.deepEqual(
      fixture.sums.map(({ level, records }) => [level, records]),
      [
        ['info', 995],
        ['error', 2],
      ],
    );
  });

  test('of a level that is not logged do not count', () => {
    const fixture = new Fixture();
    fixture.refuse('192.0.2.1', 100, 200, 'debug');
    fixture.pass(1);
    assert.equal(fixture.total, 0);
  });

  test('are all told when the second is ended early, and once', () => {
    const fixture = new Fixture();
    fixture.refuse('192.0.2.1', 20);
    fixture.pass(0.25);
    fixture.records.flush();
    assert.equal(fixture.sums[0]?.milliseconds, 250);
    assert.equal(fixture.total, 20);
    fixture.records.flush();
    fixture.pass(5);
    assert.equal(fixture.total, 20);
  });
});
