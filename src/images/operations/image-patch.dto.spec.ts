import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { wrongValues, type JsonType } from '../../../test/support/wrong-types.js';
import { toDto } from '../../framework/validation.js';
import { ImagePatchDto } from './image-patch.dto.js';

const types: Readonly<Record<keyof ImagePatchDto, JsonType>> = {
  op: 'string',
  offset: 'integer',
  size: 'integer',
  flush: 'boolean',
};

const read = (patch: Record<string, unknown>) => toDto(ImagePatchDto, { op: 'zero', ...patch }, 'operation');

describe('an operation on an image', () => {
  for (const [key, type] of Object.entries(types)) {
    for (const { json, value, reason } of wrongValues(type)) {
      test(`is told the type of ${key} first when it is ${json.slice(0, 40)}`, () => {
        assert.throws(() => read({ [key]: value }), { message: `Invalid operation: ${key} ${reason}` });
      });
    }
  }

  for (const [key, value, reason] of [
    ['op', undefined, 'is required'],
    ['op', 'discard', 'must be "zero" or "flush"'],
    ['offset', -1, 'must be at least 0'],
    ['size', 2n ** 53n, 'must be at most 9007199254740991'],
  ] as const) {
    test(`is told that ${key} ${reason} when it is ${String(value)}`, () => {
      assert.throws(() => read({ [key]: value }), { message: `Invalid operation: ${key} ${reason}` });
    });
  }
});
