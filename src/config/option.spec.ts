import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import {
  boolean,
  float,
  integer,
  InvalidValueError,
  oneOf,
  port,
  socketName,
  string,
  timeoutSecondsMax,
} from './option.js';

const description = 'For tests.';

describe('boolean', () => {
  const option = boolean('enable', { default: true, description });

  for (const text of ['true', 'yes', '1', 'on', 'TRUE', 'On']) {
    test(`reads ${text} as true`, () => {
      assert.equal(option.parse(text), true);
    });
  }
  for (const text of ['false', 'no', '0', 'off', 'FALSE', 'No']) {
    test(`reads ${text} as false`, () => {
      assert.equal(option.parse(text), false);
    });
  }
  for (const text of ['', '2', 'enabled', 'true ; yes', 'y']) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => option.parse(text), InvalidValueError);
    });
  }
});

describe('integer', () => {
  const option = integer('size', {
    default: 4096,
    minimum: 0,
    maximum: 8192,
    multipleOf: 4096,
    description,
  });

  test('takes its smallest and its largest value', () => {
    assert.equal(option.parse('0'), 0);
    assert.equal(option.parse('8192'), 8192);
  });

  test('reads -0 as 0', () => {
    assert.ok(Object.is(option.parse('-0'), 0));
  });

  for (const text of [
    '',
    '-1',
    '-4096',
    '12288',
    '4097',
    '4096.0',
    '0x1000',
    '1e3',
    '4_096',
    '4096 ',
    'NaN',
    '٤',
  ]) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => option.parse(text), InvalidValueError);
    });
  }

  test('says what it expected and what it got', () => {
    assert.throws(() => option.parse('many'), {
      message: 'expected an integer from 0 to 8192, a multiple of 4096, got "many"',
    });
  });

  test('shortens and escapes what it got', () => {
    assert.throws(() => option.parse(`\n${'9'.repeat(1000)}`), {
      message: `expected an integer from 0 to 8192, a multiple of 4096, got "\\n${'9'.repeat(63)}…"`,
    });
  });

  test('takes every integer within its bounds and none outside', () => {
    const bounded = integer('n', { default: 5, minimum: -5, maximum: 500, description });
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 1000 }), (value) => {
        if (value >= -5 && value <= 500) assert.equal(bounded.parse(String(value)), value);
        else assert.throws(() => bounded.parse(String(value)), InvalidValueError);
      }),
    );
  });
});

describe('float', () => {
  const option = float('wait', { default: 1, minimum: 0, maximum: timeoutSecondsMax, description });

  test('takes integers and fractions', () => {
    assert.equal(option.parse('10'), 10);
    assert.equal(option.parse('0.25'), 0.25);
    assert.equal(option.parse('.5'), 0.5);
  });

  for (const text of ['', '.', 'inf', 'Infinity', 'nan', '-0.1', '2147484', '1,5', '1s']) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => option.parse(text), InvalidValueError);
    });
  }

  test('allows no timeout that a timer cannot hold', () => {
    assert.ok(timeoutSecondsMax * 1000 <= 2 ** 31 - 1);
    assert.ok((timeoutSecondsMax + 1) * 1000 > 2 ** 31 - 1);
  });
});

describe('port', () => {
  test('takes 0 to 65535', () => {
    const option = port('port', { default: 54322, description });
    assert.equal(option.parse('0'), 0);
    assert.equal(option.parse('65535'), 65535);
    for (const text of ['-1', '65536', 'https']) assert.throws(() => option.parse(text), InvalidValueError);
  });

  test('takes a negative one only where that means something', () => {
    const option = port('port', { default: -1, minimum: -1, description });
    assert.equal(option.parse('-1'), -1);
    assert.throws(() => option.parse('-2'), InvalidValueError);
  });

  test('has a default for each role', () => {
    assert.deepEqual(port('port', { default: { daemon: 1, proxy: 2 }, description }).defaults, {
      daemon: 1,
      proxy: 2,
    });
    assert.deepEqual(port('port', { default: 3, description }).defaults, { daemon: 3, proxy: 3 });
  });
});

describe('oneOf', () => {
  const option = oneOf('level', {
    choices: ['info', 'warn'],
    default: 'info',
    aliases: { warning: 'warn' },
    description,
  });

  test('takes its choices and their aliases in any case', () => {
    assert.equal(option.parse('Info'), 'info');
    assert.equal(option.parse('WARNING'), 'warn');
  });

  for (const text of ['', 'loud', 'constructor', '__proto__']) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => option.parse(text), {
        message: `expected one of info, warn, got ${JSON.stringify(text)}`,
      });
    });
  }
});

describe('string', () => {
  test('keeps the text as it is', () => {
    assert.equal(string('path', { default: '', description }).parse('/a b ; c # %(d)s'), '/a b ; c # %(d)s');
  });

  test('refuses a value that a line indented by mistake has become part of', () => {
    assert.throws(() => string('host', { default: '', description }).parse('::\nport = 1'), {
      message: 'spans several lines; is the next line indented?',
    });
  });

  test('refuses control characters', () => {
    assert.throws(() => string('host', { default: '', description }).parse('a\u0000b'), InvalidValueError);
  });

  test('asks its own check', () => {
    const option = string('host', {
      default: 'a',
      check: (value) => (value === 'b' ? 'is b' : undefined),
      description,
    });
    assert.equal(option.parse('c'), 'c');
    assert.throws(() => option.parse('b'), { message: 'is b' });
  });
});

describe('socketName', () => {
  const option = socketName('socket', { default: '', description });

  test('takes paths and the empty name', () => {
    assert.equal(option.parse('/run/ovirt-imageio/sock'), '/run/ovirt-imageio/sock');
    assert.equal(option.parse(''), '');
  });

  test('reads an escaped NUL in front as that of an abstract name', () => {
    assert.equal(option.parse('\\u0000/org/ovirt/imageio'), '\0/org/ovirt/imageio');
    assert.equal(option.parse('\\0/org/ovirt/imageio'), '\0/org/ovirt/imageio');
  });

  test('reads other escapes too', () => {
    assert.equal(option.parse('/run/\\u00E9'), '/run/é');
  });

  for (const text of ['/a\\u0000b', '\\u0000a\\u0000', '/a\nb', '\\u0000']) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => option.parse(text), InvalidValueError);
    });
  }

  test('takes 107 bytes and refuses 108, with or without the NUL of an abstract name', () => {
    for (const prefix of ['', '\\u0000']) {
      assert.doesNotThrow(() => option.parse(prefix + 'x'.repeat(107)));
      assert.throws(() => option.parse(prefix + 'x'.repeat(108)), {
        message: /has 108 bytes, more than the 107/,
      });
    }
    // A letter of two bytes.
    assert.throws(() => option.parse('é'.repeat(54)), InvalidValueError);
  });
});
