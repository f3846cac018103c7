import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { extensions } from '../../contract/extensions.js';
import { relayedCapabilities } from './relayed-options.js';

const relayed = (body: string): string => relayedCapabilities(Buffer.from(body)).toString();

describe('the capabilities that are relayed', () => {
  test('have no unix_socket', () => {
    assert.equal(relayed('{"unix_socket":"\\u0000/s","features":["zero"]}'), '{"features":["zero"]}');
  });

  test('have the extensions that the relay has too, and none where the daemon has none', () => {
    const { extensions: both } = JSON.parse(
      relayed(JSON.stringify({ features: [], extensions: ['of tomorrow', ...extensions] })),
    ) as { extensions: unknown };
    assert.deepEqual(both, extensions);
    assert.equal(relayed('{"features":[],"extensions":["of tomorrow"]}'), '{"features":[],"extensions":[]}');
    assert.equal(relayed('{"unix_socket":"/s","features":[],"extensions":3}'), '{"features":[]}');
    assert.equal(relayed('{"unix_socket":"/s","features":[]}'), '{"features":[]}');
  });

  test('stay byte for byte when they had none', () => {
    assert.equal(relayed('{ "features" : [] }'), '{ "features" : [] }');
  });

  test('stay byte for byte when they are no JSON object', () => {
    for (const body of ['', 'Not allowed\n', 'null', '[1]', '{"unix_socket":', '"unix_socket"']) {
      assert.equal(relayed(body), body);
    }
  });
});
