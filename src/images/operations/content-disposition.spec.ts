import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { contentDisposition } from './content-disposition.js';

const extended = /; filename\*=UTF-8''([A-Za-z0-9!#$&+\-.^_`|~%]+)$/;

describe('Content-Disposition', () => {
  for (const [filename, header] of [
    [undefined, 'attachment'],
    ['', 'attachment'],
    ['disk.raw', 'attachment; filename="disk.raw"'],
    ['a b (1).raw', 'attachment; filename="a b (1).raw"'],
    ['a"b', 'attachment; filename="a_b"; filename*=UTF-8\'\'a%22b'],
    ['a/b\\c', 'attachment; filename="a_b_c"; filename*=UTF-8\'\'a%2Fb%5Cc'],
    ['100%', 'attachment; filename="100_"; filename*=UTF-8\'\'100%25'],
    ['ä', 'attachment; filename="_"; filename*=UTF-8\'\'%C3%A4'],
    ['💾', 'attachment; filename="_"; filename*=UTF-8\'\'%F0%9F%92%BE'],
  ] as const) {
    test(`of ${filename ?? 'no name'} is ${header}`, () => {
      assert.equal(contentDisposition(filename), header);
    });
  }

  test('of any name is a valid header with a harmless name, and the real one when they differ', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (filename) => {
        const header = contentDisposition(filename);
        validateHeaderValue('Content-Disposition', header);
        const plain = /^attachment; filename="([^"\\/%]*)"/.exec(header)?.[1];
        assert.notEqual(plain, undefined, header);
        const encoded = extended.exec(header)?.[1];
        assert.equal(encoded === undefined ? plain : decodeURIComponent(encoded), filename.toWellFormed());
      }),
    );
  });
});
