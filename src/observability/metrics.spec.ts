import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Metrics } from './metrics.js';

const times = { totalSeconds: 3, backendSeconds: 1, clientSeconds: 2 };

function metrics(): Metrics {
  return new Metrics({ role: 'daemon', version: '1.2.3', daemonFailureKinds: ['refused', 'timeout'] });
}

/** The lines of one metric. */
async function lines(subject: Metrics, name: string): Promise<string[]> {
  const text = await subject.render();
  return text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

describe('the metrics of a service', () => {
  test('say what runs', async () => {
    assert.deepEqual(await lines(metrics(), 'imageio_build_info'), [
      'imageio_build_info{role="daemon",version="1.2.3"} 1',
    ]);
  });

  test('are apart from those of another service in the same process', async () => {
    const one = metrics();
    one.listeners.handshakeFailed('remote');
    assert.deepEqual(await lines(metrics(), 'imageio_tls_handshakes_failed_total'), [
      'imageio_tls_handshakes_failed_total{listener="remote"} 0',
    ]);
  });

  test('have those of the process and its event loop', async () => {
    const text = await metrics().render();
    for (const name of ['process_cpu_seconds_total', 'process_open_fds', 'nodejs_eventloop_lag_p99_seconds'])
      assert.match(text, new RegExp(`^${name} `, 'm'));
  });

  test('count requests by route, and unknown routes and methods under one name', async () => {
    const subject = metrics();
    const request = { listener: 'remote', method: 'GET', route: '/images/:id', status: 200 };
    subject.listeners.requestEnded(request);
    subject.listeners.requestEnded(request);
    subject.listeners.requestEnded({ listener: 'remote', method: 'MKCOL', route: undefined, status: 405 });
    subject.listeners.requestRefused('remote', 431);
    assert.deepEqual(await lines(subject, 'imageio_requests_total'), [
      'imageio_requests_total{listener="remote",route="/images/:id",method="GET",status="200"} 2',
      'imageio_requests_total{listener="remote",route="none",method="other",status="405"} 1',
      'imageio_requests_total{listener="remote",route="none",method="other",status="431"} 1',
    ]);
  });

  test('count failures of daemons, from zero for each kind', async () => {
    const subject = metrics();
    subject.daemonFailed('timeout');
    assert.deepEqual(await lines(subject, 'imageio_relay_errors_total'), [
      'imageio_relay_errors_total{kind="refused"} 0',
      'imageio_relay_errors_total{kind="timeout"} 1',
    ]);
    const daemon = new Metrics({ role: 'daemon', version: '1' });
    daemon.daemonFailed('timeout');
    assert.deepEqual(await lines(daemon, 'imageio_relay_errors_total'), []);
  });
});

describe('the metrics of operations', () => {
  test('count an operation as active until it has ended', async () => {
    const subject = metrics();
    const one = subject.transfers.begin('read', 'remote');
    const other = subject.transfers.begin('read', 'remote');
    one.ended(times);
    const active = () => lines(subject, 'imageio_operations_active');
    assert.deepEqual(await active(), ['imageio_operations_active{operation="read",listener="remote"} 1']);
    other.ended(times);
    assert.deepEqual(await active(), ['imageio_operations_active{operation="read",listener="remote"} 0']);
  });

  test('add up bytes by operation, backend and listener, the same at each scrape', async () => {
    const subject = metrics();
    for (const lengthBytes of [5, 2 ** 40]) {
      const write = subject.transfers.begin('write', 'local');
      write.located('nbd');
      write.progressed(lengthBytes);
      write.progressed(1);
    }
    const expected = [
      `imageio_image_bytes_total{operation="write",backend="nbd",listener="local"} ${2 ** 40 + 7}`,
    ];
    assert.deepEqual(await lines(subject, 'imageio_image_bytes_total'), expected);
    assert.deepEqual(await lines(subject, 'imageio_image_bytes_total'), expected);
  });

  test('split the time of an operation in that of the backend and that of the client', async () => {
    const subject = metrics();
    const read = subject.transfers.begin('read', 'remote');
    read.located('file');
    read.ended(times);
    const sums = await Promise.all(
      ['', '_backend', '_client_wait'].map((part) => lines(subject, `imageio_operation${part}_seconds_sum`)),
    );
    assert.deepEqual(sums.flat(), [
      'imageio_operation_seconds_sum{operation="read",backend="file"} 3',
      'imageio_operation_backend_seconds_sum{operation="read",backend="file"} 1',
      'imageio_operation_client_wait_seconds_sum{operation="read",backend="file"} 2',
    ]);
  });

  test('call the backend of an image that was never opened none', async () => {
    const subject = metrics();
    subject.transfers.begin('flush', 'remote').ended(times);
    assert.deepEqual(await lines(subject, 'imageio_operation_seconds_count'), [
      'imageio_operation_seconds_count{operation="flush",backend="none"} 1',
    ]);
  });
});

describe('a gauge that is asked at each scrape', () => {
  test('has the values of that moment', async () => {
    const subject = metrics();
    let value = 1;
    subject.sample({ name: 'g', help: 'h', labelNames: ['a'], read: () => [{ labels: { a: 'x' }, value }] });
    assert.deepEqual(await lines(subject, 'g'), ['g{a="x"} 1']);
    value = 2;
    assert.deepEqual(await lines(subject, 'g'), ['g{a="x"} 2']);
  });

  for (const [what, read] of [
    ['fails', () => Promise.reject(new Error('away'))],
    ['hangs', () => new Promise<never>(() => undefined)],
  ] as const) {
    test(`has no value when the look-up ${what}, and the others have theirs`, async () => {
      const subject = metrics();
      subject.sample({ name: 'g', help: 'h', read, timeoutSeconds: 0.01 });
      subject.sample({ name: 'other', help: 'h', read: () => [{ value: 1 }] });
      assert.deepEqual(await lines(subject, 'g'), []);
      assert.deepEqual(await lines(subject, 'other'), ['other 1']);
    });
  }
});
