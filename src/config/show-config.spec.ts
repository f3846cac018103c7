import assert from 'node:assert/strict';
import { test } from 'node:test';

import { buildConfig } from './build-config.js';
import { configSections } from './config.js';
import { showConfig } from './show-config.js';

type Shown = Record<string, Record<string, unknown>>;

function show(settings: [section: string, option: string, value: string][] = []): Shown {
  const { config } = buildConfig(
    'proxy',
    settings.map(([section, option, value]) => ({ section, option, value, origin: 'f:1' })),
  );
  return JSON.parse(showConfig(config)) as Shown;
}

test('has every section and option under its name in the files', () => {
  const shown = show();
  assert.deepEqual(Object.keys(shown), [
    ...Object.values(configSections).map(({ name }) => name),
    'logger_root',
  ]);
  for (const section of Object.values(configSections)) {
    assert.deepEqual(
      Object.keys(shown[section.name]!),
      Object.values(section.options).map(({ name }) => name),
    );
  }
});

test('shows the level of the log also where and how Python has it, wherever it was set', () => {
  const rows: readonly [Parameters<typeof show>[0], ours: string, python: string][] = [
    [[], 'info', 'INFO'],
    [[['logger_root', 'level', 'DEBUG']], 'debug', 'DEBUG'],
    [[['logger_root', 'level', 'notset']], 'trace', 'NOTSET'],
    [[['logging', 'level', 'warn']], 'warn', 'WARNING'],
    [[['logging', 'level', 'fatal']], 'fatal', 'CRITICAL'],
    [
      [
        ['logging', 'level', 'error'],
        ['logger_root', 'level', 'DEBUG'],
      ],
      'error',
      'ERROR',
    ],
  ];
  for (const [settings, ours, python] of rows) {
    const shown = show(settings);
    assert.equal(shown.logging!.level, ours);
    assert.deepEqual(shown.logger_root, { level: python });
  }
});

test('shows numbers as numbers, booleans as booleans and texts as texts', () => {
  const shown = show([
    ['remote', 'port', '1234'],
    ['limits', 'linger_sec', '0.5'],
  ]);
  assert.equal(shown.remote!.port, 1234);
  assert.equal(shown.limits!.linger_sec, 0.5);
  assert.equal(shown.local!.enable, false);
  assert.equal(shown.local!.socket, '\0/org/ovirt/imageio');
  assert.equal(shown.control!.transport, 'unix');
});

test('masks what a session store URL may keep secret', () => {
  const stores = {
    memory: 'memory',
    'redis://h:6379/1': 'redis://h:6379/1',
    'redis://user:s3cret@h:6379/1': 'redis://***@h:6379/1',
    'redis://s3cret@h': 'redis://***@h',
    'rediss://:s3cret@h/': 'rediss://***@h/',
    'redis://h/0?password=s3cret': 'redis://h/0?***',
  };
  for (const [store, shown] of Object.entries(stores)) {
    assert.equal(show([['proxy', 'session_store', store]]).proxy!.session_store, shown);
  }
});
