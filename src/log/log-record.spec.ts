import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { boundedRecord, escapeControls } from './log-record.js';

const bytesMax = 512;

function line(fields: Record<string, unknown>): string {
  return `${JSON.stringify({ level: 'info', time: '2026-01-01T00:00:00.000Z', ...fields })}\n`;
}

describe('boundedRecord', () => {
  test('leaves a record that fits as it is', () => {
    const record = line({ msg: 'Request ended', status: 200 });
    assert.equal(boundedRecord(record, bytesMax), record);
  });

  test('takes a record of exactly the limit, and cuts one of a byte more', () => {
    const record = line({ msg: 'x' });
    const exact = line({ msg: 'x'.repeat(bytesMax - record.length + 1) });
    assert.equal(exact.length, bytesMax);
    assert.equal(boundedRecord(exact, bytesMax), exact);
    const over = line({ msg: 'x'.repeat(bytesMax - record.length + 2) });
    const cut = boundedRecord(over, bytesMax);
    assert.ok(Buffer.byteLength(cut) <= bytesMax);
    assert.match(cut, /x…"/);
  });

  test('cuts the longest field and keeps the others', () => {
    const cut = JSON.parse(
      boundedRecord(line({ transfer_id: 't-1', error: 'e'.repeat(100_000), status: 500 }), bytesMax),
    ) as Record<string, string>;
    assert.deepEqual([cut['level'], cut['transfer_id'], cut['status']], ['info', 't-1', 500]);
    assert.ok((cut['error']?.length ?? 0) > bytesMax / 4);
    assert.match(cut['error'] ?? '', /^e+…$/);
  });

  test('cuts fields that are not text', () => {
    const list = Array.from({ length: 1000 }, (_, index) => index);
    const cut = boundedRecord(line({ list }), bytesMax);
    assert.ok(Buffer.byteLength(cut) <= bytesMax);
    assert.match((JSON.parse(cut) as { list: string }).list, /^\[0,1,.*…$/);
  });

  test('makes any record one line of valid JSON within the limit', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string({ unit: 'binary', maxLength: 2000 })), (fields) => {
        const cut = boundedRecord(line(fields), bytesMax);
        assert.ok(Buffer.byteLength(cut) <= bytesMax);
        // Line ends of any kind other than the last, and everything else that is not printed.
        assert.doesNotMatch(cut.slice(0, -1), /[\p{Cc}\u2028\u2029]/u);
        assert.equal(cut.at(-1), '\n');
        JSON.parse(cut);
      }),
    );
  });
});

describe('escapeControls', () => {
  test('escapes what JSON lets through, and changes no value', () => {
    const value = 'a\u007fb\u009b31mc\u2028d\u202ee';
    const json = escapeControls(JSON.stringify(value));
    assert.equal(json, String.raw`"a\u007fb\u009b31mc\u2028d\u202ee"`);
    assert.equal(JSON.parse(json), value);
  });
});
