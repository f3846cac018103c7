import assert from 'node:assert/strict';
import { test } from 'node:test';

import { describeOptions } from './describe-options.js';

test('tells type, default, bounds and unit of an option', () => {
  const port = describeOptions().find(({ section, option }) => section === 'remote' && option === 'port');
  assert.deepEqual(port, {
    section: 'remote',
    sectionDescription: 'The listener for clients on the network.',
    option: 'port',
    variable: 'IMAGEIO_REMOTE__PORT',
    type: 'port',
    description: 'Port to listen on; 0 takes any free one, which the log reports at start.',
    defaults: { daemon: 54322, proxy: 54323 },
    minimum: 0,
    maximum: 65535,
  });
});

test('lists options that have no effect, with the reason', () => {
  const ignored = describeOptions().filter(({ type }) => type === 'ignored');
  assert.deepEqual(
    ignored.map(({ section, option }) => `${section}.${option}`),
    [
      'daemon.poll_interval',
      'backend_file.buffer_size',
      'backend_http.buffer_size',
      'backend_nbd.buffer_size',
      'profile.filename',
    ],
  );
});

test('has no two options of one name, each described by a sentence', () => {
  const options = describeOptions();
  assert.equal(new Set(options.map(({ variable }) => variable)).size, options.length);
  for (const { description, variable } of options) assert.match(description, /^\S.*[.]$/, variable);
});

test('gives a unit to every number that is not a port', () => {
  const numbers = describeOptions().filter(({ type }) => type === 'integer' || type === 'float');
  assert.ok(numbers.length > 0);
  for (const { unit, variable } of numbers) assert.notEqual(unit, undefined, variable);
});
