import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { StorageError } from '../../../base/errors.js';
import { filePath } from './file-url.js';

describe('filePath', () => {
  for (const [url, path] of [
    ['file:///images/disk', '/images/disk'],
    ['file:/images/disk', '/images/disk'],
    ['file://localhost/images/disk', '/images/disk'],
    ['FILE:///images/disk', '/images/disk'],
    ['file:///rhev/data-center/mnt/server:_path/disk', '/rhev/data-center/mnt/server:_path/disk'],
    ['file:///images/a%20b%25%C3%A9', '/images/a b%é'],
    ['file:///images/..disk', '/images/..disk'],
    ['file:///images/%3F%23', '/images/?#'],
  ] as const) {
    it(`takes ${url}`, () => {
      assert.equal(filePath(url), path);
    });
  }

  for (const url of [
    '',
    'file:',
    'file://',
    'file:disk',
    'file:images/disk',
    '/images/disk',
    'nbd:unix:/sock',
    'file://other.example/images/disk',
    'file://../images/disk',
    'file:///images/../disk',
    'file:///images/%2e%2e/disk',
    'file:///images/%2E./disk',
    'file:///images%2f..%2fdisk',
    'file:///images/..',
    'file:///images/a%00b',
    'file:///images/%zz',
    'file:///images/%ff',
    'file:///images/disk?size=1',
    'file:///images/disk#part',
  ]) {
    it(`refuses ${url === '' ? 'an empty url' : url} without repeating it`, () => {
      assert.throws(
        () => filePath(url),
        (error: unknown) => {
          assert.ok(error instanceof StorageError);
          assert.match(error.message, /^The image url /);
          assert.ok(url.length < 6 || !error.message.includes(url.slice(5)));
          return true;
        },
      );
    });
  }
});
