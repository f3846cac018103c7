import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StorageError } from '../base/errors.js';
import { imagePath, daemonTargetOf } from './ticket-url.js';

const refused = (url: string, allowHttp = false): void => {
  assert.throws(
    () => daemonTargetOf(url, allowHttp),
    (error: unknown) => error instanceof StorageError && !error.message.includes(url),
    url,
  );
};

describe('the url of a ticket', () => {
  test('names a daemon and an image', () => {
    const { origin, path } = daemonTargetOf('https://host.example.com:54322/images/a-1', false);
    assert.equal(origin.origin, 'https://host.example.com:54322');
    assert.equal(path, '/images/a-1');
  });

  test('may have an IPv6 address and the default port', () => {
    assert.equal(daemonTargetOf('https://[::1]/images/a', false).origin.host, '[::1]');
  });

  test('has one id, which stays one segment whatever is in it', () => {
    assert.equal(daemonTargetOf('https://h/images/a%2Fb%3fc', false).path, '/images/a%2Fb%3Fc');
    assert.equal(imagePath('http://x//y'), '/images/http%3A%2F%2Fx%2F%2Fy');
    assert.equal(imagePath('..'), '/images/%2E%2E');
  });

  test('may be http only where that is allowed', () => {
    refused('http://h/images/a');
    assert.equal(daemonTargetOf('http://h/images/a', true).origin.protocol, 'http:');
  });

  test('of any other form is refused', () => {
    for (const url of [
      'file:///images/a',
      'https://h/images/',
      'https://h/tickets/a',
      'https://h/images/a/extents',
      'https://h/images/a?b=c',
      'https://h/images/a#b',
      'https://user@h/images/a',
      'https://h:1@g/images/a',
      'https://h\\g/images/a',
      'https://h/im\nages/a',
      'https://h/images/a\nb',
      'https://h:99999/images/a',
      'https://h/images/%ff',
    ]) {
      refused(url, true);
    }
  });
});
