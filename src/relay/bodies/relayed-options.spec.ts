import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withoutUnixSocket } from './relayed-options.js';

const relayed = (body: string): string => withoutUnixSocket(Buffer.from(body)).toString();

describe('the capabilities that are relayed', () => {
  test('have no unix_socket', () => {
    assert.equal(relayed('{"unix_socket":"\\u0000/s","features":["zero"]}'), '{"features":["zero"]}');
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
