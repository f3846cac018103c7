import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ListenerName } from '../support/processes.js';
import { DaemonUnderTest } from './daemon-under-test.js';
import { parseAnswer } from './raw-answers.js';

const ticket = '{"uuid":"stolen","size":4096,"ops":["read"],"timeout":300,"url":"file:///image"}';

describe('a web page that reaches a listener without credentials', () => {
  let fixture: DaemonUnderTest;
  before(async () => {
    fixture = await DaemonUnderTest.start({
      control: { transport: 'tcp', port: 0 },
      metrics: { enable: true, port: 0, allowed_hosts: 'monitored.example, other.example' },
    });
  });
  after(() => fixture[Symbol.asyncDispose]());

  async function statusOf(
    listener: ListenerName,
    request: string,
    headers: readonly string[],
    body = '',
  ): Promise<number> {
    const length = body === '' ? [] : [`Content-Length: ${body.length}`];
    const bytes = [`${request} HTTP/1.1`, ...headers, ...length, 'Connection: close', '', body].join('\r\n');
    return parseAnswer(await fixture.exchangeBytes(bytes, listener)).status;
  }

  const foreign = [
    ['Host: evil.example'],
    ['Host: evil.example:80'],
    ['Host: localhost.evil.example'],
    ['Host: 10.0.0.1'],
    ['Host: '],
    ['Host: [::1'],
    ['Host: user@localhost'],
    ['Host: localhost', 'Origin: https://evil.example'],
    ['Host: localhost', 'Origin: null'],
    ['Origin: http://localhost'],
  ];
  for (const headers of foreign) {
    test(`cannot add, see or remove tickets with ${headers.join(' and ')}`, async () => {
      assert.equal(await statusOf('control', 'PUT /tickets/stolen', headers, ticket), 403);
      assert.equal((await fixture.vdsm.request('GET', '/tickets/stolen')).status, 404);
      assert.equal(await statusOf('control', 'GET /tickets/', headers), 403);
      assert.equal(await statusOf('control', 'DELETE /tickets/', headers), 403);
      assert.equal(await statusOf('control', 'OPTIONS /tickets/stolen', headers), 403);
    });
  }

  for (const headers of [
    [],
    ['Host: localhost'],
    ['Host: LOCALHOST:54324'],
    ['Host: 127.0.0.1:1'],
    ['Host: 127.8.9.10'],
    ['Host: [::1]:54324'],
  ]) {
    test(`is told from a client of the control service with ${headers.join() || 'no Host'}`, async () => {
      assert.equal(await statusOf('control', 'GET /tickets/', headers), 200);
    });
  }

  test('is told from monitoring systems', async () => {
    for (const host of ['127.0.0.1', '10.0.0.1:54325', '[fd00::1]', 'localhost', 'Monitored.example:1'])
      assert.equal(await statusOf('metrics', 'GET /health/live', [`Host: ${host}`]), 200, host);
    for (const headers of [
      ['Host: evil.example'],
      ['Host: x.monitored.example'],
      ['Host: 127.0.0.1', 'Origin: https://evil.example'],
    ])
      assert.equal(await statusOf('metrics', 'GET /metrics', headers), 403, headers.join());
  });

  test('is why the daemon warns of a control service on TCP at its start', () => {
    assert.match(fixture.daemon.program.lastLines(100), /\[control\] transport is tcp/);
  });
});

describe('the control service on a unix socket', () => {
  test('takes any Host, as no web page reaches it, and still no Origin', async () => {
    await using fixture = await DaemonUnderTest.start();
    for (const [header, status] of [
      ['Host: anything', 200],
      ['Origin: https://evil.example', 403],
    ] as const) {
      const request = `GET /tickets/ HTTP/1.1\r\n${header}\r\nConnection: close\r\n\r\n`;
      assert.equal(parseAnswer(await fixture.exchangeBytes(request, 'control')).status, status);
    }
  });
});
