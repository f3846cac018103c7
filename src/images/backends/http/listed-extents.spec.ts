import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { BadGatewayError } from '../../../base/errors.js';
import type { Extent, ExtentContext } from '../backend.js';
import { listedExtents } from './listed-extents.js';

function listed(pieces: readonly string[], context: ExtentContext = 'zero'): Promise<Extent[]> {
  const answer = new IncomingMessage(new Socket());
  for (const piece of pieces) answer.push(piece);
  answer.push(null);
  return listedExtents(answer, { context, startBytes: 0, heard: () => undefined });
}

const two = [
  { start: 0, length: 10, zero: false, hole: false },
  { start: 10, length: 5, zero: true, hole: true },
];

describe('a list of extents', () => {
  test('comes as an array or as lines, in any pieces', async () => {
    const array = JSON.stringify(two, undefined, 1);
    const lines = two.map((extent) => `${JSON.stringify(extent)}\n`).join('');
    for (const text of [array, lines, `   ${array} \n`])
      for (const size of [1, 7, text.length]) {
        const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
        assert.deepEqual(await listed(pieces), two);
      }
    assert.deepEqual(await listed(['[]']), []);
    assert.deepEqual(await listed([' \n']), []);
  });

  test('of what is dirty says so of each', async () => {
    const dirty = [{ start: 0, length: 10, dirty: true, zero: false }];
    assert.deepEqual(await listed([JSON.stringify(dirty)], 'dirty'), [{ ...dirty[0], hole: false }]);
    await assert.rejects(listed([JSON.stringify(two)], 'dirty'), BadGatewayError);
  });

  for (const [what, text] of [
    ['has a gap', '[{"start":0,"length":1,"zero":true},{"start":2,"length":1,"zero":true}]'],
    ['begins elsewhere', '[{"start":1,"length":1,"zero":true}]'],
    ['has an empty one', '[{"start":0,"length":0,"zero":true}]'],
    ['has no numbers', '[{"start":"0","length":1,"zero":true}]'],
    ['goes beyond all images', '[{"start":0,"length":9007199254740993,"zero":true}]'],
    ['does not say what is zero', '[{"start":0,"length":1}]'],
    ['is no list', '<html>{}</html>'],
    ['has entries that are no JSON', '[{start:0}]'],
    ['breaks off', '[{"start":0,"length":1,"zero":true},{"start"'],
    ['has an entry without end', `[{"start":${' '.repeat(5000)}0`],
  ] as const)
    test(`is refused when it ${what}`, async () => {
      await assert.rejects(listed([text]), BadGatewayError);
    });
});
