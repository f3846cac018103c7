import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EventReader } from './event-reader.js';

describe('a stream of events', () => {
  const text =
    ':\n\nid: 1\nevent: progress\ndata: {"a":"ü"}\n\ndata:x\ndata: y\r\n\r\nevent: nothing\n\nretry: 5\n\n';
  const events = [
    { event: 'progress', data: '{"a":"ü"}', id: '1' },
    { event: 'message', data: 'x\ny', id: '1' },
  ];

  test('is taken apart wherever its pieces end', () => {
    const bytes = Buffer.from(text);
    for (let length = 1; length <= bytes.length; length++) {
      const reader = new EventReader();
      const found = [];
      for (let start = 0; start < bytes.length; start += length) {
        found.push(...reader.push(bytes.subarray(start, start + length)));
      }
      assert.deepEqual(found, events, `pieces of ${length} bytes`);
    }
  });

  test('is refused where an event does not end', () => {
    const oneLine = new EventReader();
    assert.throws(() => oneLine.push(Buffer.alloc(1_048_577, 'x')), RangeError);
    const manyLines = new EventReader();
    assert.throws(() => manyLines.push(Buffer.from('data: x\n'.repeat(200_000))), RangeError);
  });
});
