import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BadGatewayError } from '../../base/errors.js';
import { ExtentsClip, type ExtentsClipOptions } from './extents-clip.js';

const list = [
  { start: 0, length: 10, zero: false, hole: false },
  { start: 10, length: 20, zero: true, hole: false },
  { start: 30, length: 70, zero: false, hole: false },
];

/** Clips `text` in pieces of that many bytes. */
function clipped(
  text: string,
  endBytes: number,
  pieceBytes = text.length,
  options: ExtentsClipOptions = {},
): string {
  const clip = new ExtentsClip(endBytes, options);
  let kept = '';
  for (let at = 0; at < text.length; at += pieceBytes)
    kept += clip.push(Buffer.from(text.slice(at, at + pieceBytes))).toString();
  clip.end();
  return kept;
}

describe('extents that pass through', () => {
  test('end where the ticket ends, in whatever pieces they come', () => {
    for (const endBytes of [0, 1, 9, 10, 11, 29, 30, 31, 99, 100, 101]) {
      const expected = list
        .filter(({ start }) => start < endBytes)
        .map((extent) => ({ ...extent, length: Math.min(extent.length, endBytes - extent.start) }));
      for (const text of [JSON.stringify(list), JSON.stringify(list, null, 2)]) {
        for (const pieceBytes of [1, 2, 7, 50, text.length])
          assert.deepEqual(JSON.parse(clipped(text, endBytes, pieceBytes)), expected);
      }
    }
  });

  test('stay byte for byte when none of them ends later', () => {
    for (const text of ['[]', ' \n[ ]', JSON.stringify(list), JSON.stringify(list, null, 1)])
      assert.equal(clipped(text, 100, 3), text);
  });

  test('that are lines stay lines', () => {
    const lines = list.map((extent) => `${JSON.stringify(extent)}\n`);
    for (const pieceBytes of [1, 7, 1000]) {
      const clipping = (endBytes: number): string =>
        clipped(lines.join(''), endBytes, pieceBytes, { asLines: true });
      assert.equal(clipping(100), lines.join(''));
      assert.equal(clipping(30), lines.slice(0, 2).join(''));
      assert.equal(clipping(29), lines[0]! + lines[1]!.replace('20', '19'));
      assert.equal(clipping(0), '');
    }
    assert.throws(() => clipped('[]', 100, 1, { asLines: true }), BadGatewayError);
  });

  test('of a part begin where it does, or at 0 from a daemon that knows no parts', () => {
    for (const from of [0, 1]) {
      const part = list.slice(from);
      const kept = clipped(JSON.stringify(part), 31, 5, { startBytes: 10 });
      assert.deepEqual(JSON.parse(kept), [...part.slice(0, -1), { ...list[2]!, length: 1 }]);
    }
    const elsewhere = JSON.stringify(list.slice(2));
    assert.throws(() => clipped(elsewhere, 31, 5, { startBytes: 10 }), BadGatewayError);
  });

  test('hold nothing back that stands before them', () => {
    const clip = new ExtentsClip(10);
    assert.equal(clip.push(Buffer.from('[\n')).toString(), '[\n');
    assert.equal(clip.push(Buffer.from(' ')).toString(), ' ');
  });

  test('are refused when they are no list of extents', () => {
    for (const text of [
      '',
      '[',
      '{}',
      '[{}]',
      '[1]',
      'null',
      'Not allowed\n',
      '[{"start":0,"length":10}',
      '[{"start":0,"length":10',
      '[{"start":0,"length":0}]',
      '[{"start":5,"length":10}]',
      '[{"start":0,"length":10},{"start":11,"length":1}]',
      '[{"start":"0","length":10}]',
      `[{"start":0,"length":10,"x":"${'x'.repeat(2000)}`,
    ]) {
      assert.throws(() => clipped(text, 100), BadGatewayError, text);
    }
  });
});
