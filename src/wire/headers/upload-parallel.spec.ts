import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { parseList } from 'structured-headers';
import { asksForReceived, receivedFields } from './upload-parallel.js';

function asked(field: string | undefined, method = 'PUT'): boolean {
  const request = new IncomingMessage(new Socket());
  return asksForReceived(Object.assign(request, { method, headers: { 'upload-parallel': field } }));
}

const range = (offsetBytes: number, lengthBytes: number) => ({ offsetBytes, lengthBytes });

describe('Upload-Parallel', () => {
  test('asks when it is true, whatever its parameters', () => {
    for (const field of ['?1', ' ?1 ', '?1;a', '?1;a=1;b="c"']) assert.ok(asked(field), field);
    assert.ok(asked('?1', 'PATCH'));
  });

  test('asks for nothing when it is anything else', () => {
    for (const field of [undefined, '', '?0', '1', 'true', '"?1"', '?1, ?1', '(?1)', '?1;', '?', '?11'])
      assert.ok(!asked(field), String(field));
  });

  test('asks for nothing with a request that changes nothing', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE'])
      assert.ok(!asked('?1', method), method);
  });
});

describe('what is told of the ranges that were received', () => {
  test('is a list of pairs, and how far it goes without a gap', () => {
    assert.deepEqual(receivedFields([range(0, 1_048_576), range(4_194_304, 65_536)]), {
      'Upload-Offset': '1048576',
      'Upload-Received': '(0 1048576), (4194304 65536)',
    });
  });

  test('goes nowhere while the first byte is missing', () => {
    assert.deepEqual(receivedFields([range(1, 9)]), { 'Upload-Offset': '0', 'Upload-Received': '(1 9)' });
  });

  test('has no list of nothing', () => {
    assert.deepEqual(receivedFields([]), { 'Upload-Offset': '0' });
  });

  test('has the first 32 of more', () => {
    const many = Array.from({ length: 40 }, (_, index) => range(2 * index, 1));
    const { 'Upload-Received': list = '' } = receivedFields(many);
    assert.equal(parseList(list).length, 32);
    assert.ok(list.endsWith('(62 1)'));
  });

  test('says less where a structured field has no number', () => {
    const largest = 999_999_999_999_999;
    assert.deepEqual(receivedFields([range(0, 2 * largest), range(3 * largest, 1)]), {
      'Upload-Offset': String(largest),
      'Upload-Received': `(0 ${largest})`,
    });
  });
});
