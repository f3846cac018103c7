import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { ConfigError } from './config-error.js';
import { parseIni } from './ini-file.js';

function settingsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    parseIni(text, 'f').settings.map(({ section, option, value }) => [`${section}.${option}`, value]),
  );
}

test('reads options with = and : and any space around', () => {
  assert.deepEqual(settingsOf('[a]\nx = 1\ny=2\nz: 3\nw\t:\t4  \n'), {
    'a.x': '1',
    'a.y': '2',
    'a.z': '3',
    'a.w': '4',
  });
});

test('takes the first = or : as the delimiter', () => {
  assert.deepEqual(settingsOf('[a]\nurl = redis://h:1/?a=b\nhost = ::\nargs: k=v'), {
    'a.url': 'redis://h:1/?a=b',
    'a.host': '::',
    'a.args': 'k=v',
  });
});

test('keeps an empty value', () => {
  assert.deepEqual(settingsOf('[a]\nca_file =\nb ='), { 'a.ca_file': '', 'a.b': '' });
});

test('skips comment lines with # and ;, but keeps both characters after a value', () => {
  assert.deepEqual(settingsOf('# one\n; two\n[a]\n  # three\nx = 1 ; 2 # 3\n'), { 'a.x': '1 ; 2 # 3' });
});

test('reads keys in any case and sections as they are', () => {
  assert.deepEqual(settingsOf('[A]\nMax_Connections = 1'), { 'A.max_connections': '1' });
});

test('interpolates nothing', () => {
  assert.deepEqual(settingsOf('[a]\nformat = %(asctime)s ${b} %%'), { 'a.format': '%(asctime)s ${b} %%' });
});

test('continues a value with lines indented deeper, over blank lines and comments', () => {
  assert.deepEqual(settingsOf('[a]\nargs = (1,\n  2,\n\n# no\n\t3)\nb = 4'), {
    'a.args': '(1,\n2,\n3)',
    'a.b': '4',
  });
});

test('reads options that are all indented alike', () => {
  assert.deepEqual(settingsOf('[a]\n  x = 1\n  y = 2\n'), { 'a.x': '1', 'a.y': '2' });
});

test('goes on with a section that comes again', () => {
  assert.deepEqual(settingsOf('[a]\nx = 1\n[b]\nx = 2\n[a]\ny = 3\nx = 4'), {
    'a.x': '4',
    'b.x': '2',
    'a.y': '3',
  });
});

test('reads CRLF files and a byte order mark', () => {
  assert.deepEqual(settingsOf('\uFEFF[a]\r\nx = 1\r\n'), { 'a.x': '1' });
});

test('says where each section and option was', () => {
  assert.deepEqual(parseIni('\n[a]\n\nx = 1\n[b]', '/etc/f.conf'), {
    sections: [
      { name: 'a', origin: '/etc/f.conf:2' },
      { name: 'b', origin: '/etc/f.conf:5' },
    ],
    settings: [{ section: 'a', option: 'x', value: '1', origin: '/etc/f.conf:4' }],
  });
});

test('refuses an option before the first section', () => {
  assert.throws(
    () => parseIni('\nx = 1', 'f'),
    new ConfigError([{ origin: 'f:2', reason: 'expected a [section] before the first option' }]),
  );
});

for (const line of ['password', '= secret', '[unclosed', '[]']) {
  test(`refuses the line ${JSON.stringify(line)} without quoting it`, () => {
    assert.throws(() => parseIni(`[a]\n${line}`, 'f'), {
      name: 'ConfigError',
      message: 'f:2: expected [section], option = value, or a comment',
    });
  });
}

test('either parses any text or refuses it with a ConfigError', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('[', ']', '=', ':', ' ', '\t', '\n', '\r', '#', ';', 'a', '\0') }),
      (text) => {
        try {
          parseIni(text, 'f');
        } catch (error: unknown) {
          assert.ok(error instanceof ConfigError);
        }
      },
    ),
  );
});
