import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, test } from 'node:test';
import { localHost, monitoringHost } from './host-check.js';

describe('the host of a request', () => {
  for (const host of ['localhost', 'LocalHost', '127.0.0.1', '127.1.2.3', '::1', '0:0:0:0:0:0:0:1'])
    test(`is local when it is ${host}`, () => {
      assert.equal(localHost(host), true);
    });

  for (const host of [
    '',
    'evil.example',
    'localhost.evil.example',
    'localhost.',
    '127.0.0.1.evil.example',
    '128.0.0.1',
    '0.0.0.0',
    '10.0.0.1',
    '::2',
    '127.1',
    '2130706433',
    hostname(),
  ])
    test(`is not local when it is ${host}`, () => {
      assert.equal(localHost(host), false);
    });

  test('is for monitoring when it is an address, this host or a name that was configured', () => {
    const rule = monitoringHost(['metrics.monitoring.svc']);
    for (const host of [
      '10.0.0.1',
      'fd00::1',
      'localhost',
      hostname().toUpperCase(),
      'Metrics.monitoring.svc',
    ])
      assert.equal(rule(host), true, host);
    for (const host of [
      '',
      'evil.example',
      'metrics',
      'x.metrics.monitoring.svc',
      `${hostname()}.evil.example`,
    ])
      assert.equal(rule(host), false, host);
  });
});
