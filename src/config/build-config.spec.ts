import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { buildConfig } from './build-config.js';
import { configSections } from './config.js';
import type { Setting } from './setting.js';

function set(section: string, option: string, value: string, origin = 'f:1'): Setting {
  return { section, option, value, origin };
}

describe('defaults', () => {
  const { config } = buildConfig('daemon', []);
  const proxy = buildConfig('proxy', []).config;

  test('are those of existing installations in the daemon', () => {
    assert.deepEqual(config.daemon, {
      connectionsMax: 8,
      inactivityTimeoutSeconds: 60,
      runDir: '/run/ovirt-imageio',
      dropPrivileges: true,
      userName: 'ovirtimg',
      groupName: 'ovirtimg',
      workers: 0,
      keepTickets: 'never',
      systemdEnable: true,
    });
    assert.deepEqual(config.tls, {
      enable: true,
      keyFile: '',
      certFile: '',
      caFile: '',
      enableTls11: false,
      reloadIntervalSeconds: 60,
    });
    assert.deepEqual(config.remote, { host: '::', port: 54322 });
    assert.deepEqual(config.local, { enable: true, socket: '\0/org/ovirt/imageio' });
    assert.deepEqual(config.control, {
      enable: true,
      transport: 'unix',
      socket: '/run/ovirt-imageio/sock',
      port: -1,
      preferIpv4: true,
      removeTimeoutSeconds: 60,
    });
    assert.deepEqual(config.backendHttp, { caFile: '' });
  });

  test('differ in the proxy where its place in the network does', () => {
    assert.equal(proxy.remote.port, 54323);
    assert.equal(proxy.local.enable, false);
    assert.equal(proxy.docs.enable, true);
    assert.equal(config.docs.enable, false);
  });

  test('are values that the option itself would take', () => {
    for (const section of Object.values(configSections)) {
      for (const option of Object.values(section.options)) {
        for (const value of Object.values(option.defaults)) {
          if (option.type === 'socket') continue;
          assert.equal(option.parse(String(value)), value, `[${section.name}] ${option.name}`);
        }
      }
    }
  });
});

test('freezes the configuration and each of its sections', () => {
  const { config } = buildConfig('daemon', []);
  assert.ok(Object.isFrozen(config));
  for (const section of Object.values(config)) assert.ok(Object.isFrozen(section));
});

test('gives every option its own property', () => {
  const settings = [set('remote', 'port', '0'), set('proxy', 'imaged_read_timeout_sec', '0.5')];
  const { config } = buildConfig('proxy', settings);
  assert.equal(config.remote.port, 0);
  assert.equal(config.proxy.imagedReadTimeoutSeconds, 0.5);
});

test('lets the later of two settings win, and judges only that one', () => {
  const settings = [
    set('remote', 'port', 'wrong'),
    set('remote', 'port', '1'),
    set('remote', 'port', '2', 'g:7'),
  ];
  const { config, originOf } = buildConfig('daemon', settings);
  assert.equal(config.remote.port, 2);
  assert.equal(originOf('remote', 'port'), 'g:7');
  assert.equal(originOf('remote', 'host'), undefined);
});

test('names place, section, option and reason of every wrong value', () => {
  const settings = [
    set('remote', 'port', 'x', '/etc/a.conf:3'),
    set('tls', 'enable', '2', 'IMAGEIO_TLS__ENABLE'),
  ];
  assert.throws(() => buildConfig('daemon', settings), {
    name: 'ConfigError',
    message:
      'IMAGEIO_TLS__ENABLE: [tls] enable: expected true, yes, 1, on, false, no, 0 or off, got "2"\n' +
      '/etc/a.conf:3: [remote] port: expected a port from 0 to 65535, got "x"',
  });
});

test('never prints a session store that it refuses', () => {
  for (const url of [
    'rediss//u:s3cret@h',
    'http://u:s3cret@h',
    'redis://u:s3cret@',
    's3cret',
    'redis://h\n/s3cret',
    'redis://h/s3cret',
    'redis://u:s3cret%zz@h',
  ]) {
    assert.throws(
      () => buildConfig('proxy', [set('proxy', 'session_store', url)]),
      (error: Error) => !error.message.includes('s3cret') && error.message.includes('[proxy] session_store'),
      url,
    );
  }
});

test('takes a session store in memory or in redis', () => {
  for (const url of ['memory', 'redis://h', 'rediss://u:p@h:6380/1']) {
    assert.equal(buildConfig('proxy', [set('proxy', 'session_store', url)]).config.proxy.sessionStore, url);
  }
});

test('relays with the authorities of [tls] unless [backend_http] has its own', () => {
  const tls = set('tls', 'ca_file', '/tls.pem');
  assert.equal(buildConfig('proxy', [tls]).config.backendHttp.caFile, '/tls.pem');
  const own = set('backend_http', 'ca_file', '/own.pem');
  assert.equal(buildConfig('proxy', [tls, own]).config.backendHttp.caFile, '/own.pem');
});

describe('the level of Python logging', () => {
  for (const [python, ours] of [
    ['DEBUG', 'debug'],
    ['INFO', 'info'],
    ['WARNING', 'warn'],
    ['ERROR', 'error'],
    ['CRITICAL', 'fatal'],
    ['NOTSET', 'trace'],
  ] as const) {
    test(`${python} means ${ours}`, () => {
      assert.equal(buildConfig('daemon', [set('logger_root', 'level', python)]).config.logging.level, ours);
    });
  }

  test('yields to [logging] level, wherever that comes', () => {
    const settings = [set('logging', 'level', 'error'), set('logger_root', 'level', 'DEBUG')];
    assert.equal(buildConfig('daemon', settings).config.logging.level, 'error');
  });

  test('is reported under its own name when it is wrong', () => {
    assert.throws(() => buildConfig('daemon', [set('logger_root', 'level', 'LOUD')]), {
      message: /^f:1: \[logger_root\] level: expected one of trace, .*, got "LOUD"$/,
    });
  });
});

describe('[docs] path', () => {
  for (const path of ['/docs', '/api/docs']) {
    test(`may be ${path}`, () => {
      assert.equal(buildConfig('proxy', [set('docs', 'path', path)]).config.docs.path, path);
    });
  }
  for (const path of ['', '/', 'docs', '/docs/', '/a//b', '/images', '/tickets/docs', '/a b', '/../x']) {
    test(`may not be ${JSON.stringify(path)}`, () => {
      assert.throws(() => buildConfig('proxy', [set('docs', 'path', path)]), { name: 'ConfigError' });
    });
  }
});
