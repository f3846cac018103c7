import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { StorageError } from '../../../base/errors.js';
import { parseNbdUrl } from './nbd-url.js';

describe('NBD url', () => {
  const unix = (socketPath: string, exportName = '') => ({ address: { socketPath }, exportName });
  const tcp = (host: string, port: number, exportName = '') => ({ address: { host, port }, exportName });
  const accepted: readonly (readonly [string, object])[] = [
    ['nbd:unix:/run/sock', unix('/run/sock')],
    ['nbd:unix:/run/sock:exportname=disk 1', unix('/run/sock', 'disk 1')],
    ['nbd:unix:/run/a:b:exportname=x:exportname=y', unix('/run/a:b', 'x:exportname=y')],
    ['nbd:unix:/run/100%25', unix('/run/100%25')],
    ['nbd:unix:/run/sock:exportname=', unix('/run/sock')],
    ['nbd:host.example:10810', tcp('host.example', 10810)],
    ['nbd:host:10810:exportname=disk', tcp('host', 10810, 'disk')],
    ['nbd:host', tcp('host', 10809)],
    ['nbd:[::1]:10810:exportname=a%20b', tcp('::1', 10810, 'a%20b')],
    ['nbd://host', tcp('host', 10809)],
    ['nbd://host/', tcp('host', 10809)],
    ['nbd://127.0.0.1:1/disk', tcp('127.0.0.1', 1, 'disk')],
    ['nbd://host:65535//abs/../name', tcp('host', 65535, '/abs/../name')],
    ['nbd://[::1]/a%20b%2F', tcp('::1', 10809, 'a b/')],
    ['nbd://[fe80::1%25eth0]:2/x', tcp('fe80::1%eth0', 2, 'x')],
    ['nbd+unix:///?socket=/run/sock', unix('/run/sock')],
    ['nbd+unix:///disk%3F?socket=/run/so%20ck', unix('/run/so ck', 'disk?')],
    ['nbd+unix:///disk?other=1&socket=/run/sock', unix('/run/sock', 'disk')],
  ];
  for (const [url, location] of accepted) {
    test(`reads ${url}`, () => {
      assert.deepEqual(parseNbdUrl(url), location);
    });
  }

  const refused = [
    'nbd:',
    'nbd://',
    'nbd:///name',
    'nbd:unix:',
    'nbd:unix:relative/sock',
    'nbd:unix:/run/../etc/sock',
    `nbd:unix:/${'x'.repeat(107)}`,
    `nbd:unix:/sock:exportname=${'x'.repeat(4097)}`,
    'nbd:host:',
    'nbd:host:port',
    'nbd:host:0',
    'nbd:host:65536',
    'nbd:host:1:2',
    'nbd:::1:10809',
    'nbd://user@host/name',
    'nbd://host/name?socket=/run/sock',
    'nbd://host/%zz',
    'nbd+unix:///name',
    'nbd+unix:///name?socket=',
    'nbd+unix:///name?socket=sock',
    'nbd+unix:///name?socket=/a&socket=/b',
    'nbd+unix:///name?socket=/run/%2e%2e/sock',
    'nbd+unix:///name?socket=/run/sock%00',
    'nbd+unix://host/name?socket=/run/sock',
    'nbds://host/name',
    'file:///disk',
  ];
  for (const url of refused) {
    test(`refuses ${url.slice(0, 50)}`, () => {
      assert.throws(() => parseNbdUrl(url), StorageError);
    });
  }

  test('keeps the url out of the message, which clients see', () => {
    assert.throws(
      () => parseNbdUrl('nbd:unix:secret/place'),
      (error: Error) => !error.message.includes('secret') && String(error.cause).includes('secret'),
    );
  });
});
