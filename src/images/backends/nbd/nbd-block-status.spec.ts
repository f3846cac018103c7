import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { u32 } from '../../../../test/nbd/server-messages.js';
import { coveredBytes, overlay } from './nbd-block-status.js';

describe('block status overlay', () => {
  test('cuts where any context changes', () => {
    const contexts = [u32(100, 1, 100, 2), u32(50, 7, 150, 8)];
    assert.deepEqual(
      [...overlay(contexts, 200)],
      [
        { lengthBytes: 50, flags: [1, 7] },
        { lengthBytes: 50, flags: [1, 8] },
        { lengthBytes: 100, flags: [2, 8] },
      ],
    );
  });

  test('ends with the shortest context', () => {
    const contexts = [u32(100, 1), u32(30, 7)];
    assert.deepEqual([...overlay(contexts, 200)], [{ lengthBytes: 30, flags: [1, 7] }]);
    assert.equal(coveredBytes(contexts, 200), 30);
  });

  test('clips an extent that is longer than was asked for', () => {
    const contexts = [u32(2 ** 32 - 1, 1)];
    assert.deepEqual([...overlay(contexts, 200)], [{ lengthBytes: 200, flags: [1] }]);
    assert.equal(coveredBytes(contexts, 200), 200);
  });

  test('ignores extents past what was asked for', () => {
    assert.deepEqual([...overlay([u32(200, 1, 100, 2)], 200)], [{ lengthBytes: 200, flags: [1] }]);
  });

  test('skips empty extents', () => {
    const contexts = [u32(0, 9, 10, 1, 0, 9)];
    assert.deepEqual([...overlay(contexts, 200)], [{ lengthBytes: 10, flags: [1] }]);
    assert.equal(coveredBytes([u32(0, 9)], 200), 0);
  });
});
