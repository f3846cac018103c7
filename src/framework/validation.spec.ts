import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ValidateBy } from 'class-validator';
import { InvalidRequestError } from '../base/errors.js';
import { OptionalKey } from './optional-key.decorator.js';
import { IsInteger, IsText } from './value-checks.js';
import { DtoPipe, toDto } from './validation.js';

class ThingDto {
  @IsText({ maxLength: 10 })
  name!: string;

  @OptionalKey()
  @IsInteger({ minimum: 0, maximum: 10 })
  count?: number;
}

describe('a DTO', () => {
  test('has the keys of its class and no others', () => {
    const dto = toDto(ThingDto, { name: 'a', count: 1, more: 2, constructor: 3 }, 'thing');
    assert.ok(dto instanceof ThingDto);
    assert.deepEqual(Object.assign({}, dto), { name: 'a', count: 1 });
  });

  test('never shows its checks what has an unknown key', () => {
    const seen: string[] = [];
    class WatchedDto {
      @ValidateBy({
        name: 'watch',
        validator: {
          validate: (_value, context) => {
            seen.push(...Object.keys(context?.object ?? {}));
            return true;
          },
        },
      })
      name!: string;
    }
    const unknown = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`key-${index}`, {}]));
    toDto(WatchedDto, { ...unknown, name: 'a' }, 'thing');
    assert.deepEqual(seen, ['name']);
  });

  test('takes no key from a prototype', () => {
    const sent = Object.create({ name: 'inherited' }) as Record<string, unknown>;
    assert.throws(
      () => toDto(ThingDto, sent, 'thing'),
      /^InvalidRequestError: Invalid thing: name is required/,
    );
  });

  test('is refused in words that name each wrong key once and quote no value', () => {
    assert.throws(
      () => toDto(ThingDto, { name: 1, count: 'SECRET' }, 'thing'),
      (error: unknown) => {
        assert.ok(error instanceof InvalidRequestError);
        assert.equal(error.message, 'Invalid thing: name must be a string; count must be an integer');
        return true;
      },
    );
  });

  test('is made by the pipe of a parameter with the class of the parameter', () => {
    const pipe = new DtoPipe('thing');
    const dto = pipe.transform({ name: 'a' }, { type: 'body', metatype: ThingDto });
    assert.ok(dto instanceof ThingDto);
  });
});
