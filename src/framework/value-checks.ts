import { ValidateBy } from 'class-validator';
import { isLongerThan } from '../base/text-length.js';

/*
 * The checks of our DTOs, one for each type of a value. Unlike a pile of class-validator's own decorators,
 * which report in an order of their own, one check tells the first thing that is wrong: the type before
 * the bounds.
 */

/** A JSON integer. Not a fraction, not `1.0`, not a text of digits, not a boolean. */
export const IsInteger = ({ minimum, maximum }: Bounds): PropertyDecorator =>
  check('isInteger', (value) => {
    if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) return 'must be an integer';
    const integer = value as number | bigint;
    if (integer < minimum) return `must be at least ${minimum}`;
    return integer > maximum ? `must be at most ${maximum}` : undefined;
  });

interface Bounds {
  readonly minimum: number | bigint;
  readonly maximum: number | bigint;
}

export const IsText = ({ minLength = 0, maxLength }: TextBounds): PropertyDecorator =>
  check('isText', (value) => {
    if (typeof value !== 'string') return 'must be a string';
    if (value.length < minLength) return 'must not be empty';
    return isLongerThan(value, maxLength) ? `must have at most ${maxLength} characters` : undefined;
  });

interface TextBounds {
  readonly minLength?: 0 | 1;
  /** In characters. */
  readonly maxLength: number;
}

export const IsFlag = (): PropertyDecorator =>
  check('isFlag', (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'));

/** One of a few words. */
export const IsWord = (words: readonly string[]): PropertyDecorator =>
  check('isWord', (value) => {
    if (typeof value !== 'string') return 'must be a string';
    return words.includes(value) ? undefined : `must be ${quoted(words, 'or')}`;
  });

/** A list of a few words, at least one. */
export const IsWordList = (words: readonly string[], { maxItems }: { maxItems: number }): PropertyDecorator =>
  check('isWordList', (value) => {
    if (!Array.isArray(value)) return 'must be a list';
    if (value.length === 0) return 'must not be empty';
    if (value.length > maxItems) return `must have at most ${maxItems} items`;
    return value.every((item) => words.includes(item as string))
      ? undefined
      : `must be a list of ${quoted(words, 'and')}`;
  });

/** @param fault what is wrong with a value, after the name of the key; undefined when nothing is */
function check(name: string, fault: (value: unknown) => string | undefined): PropertyDecorator {
  const faultOf = (value: unknown): string | undefined =>
    value === undefined ? 'is required' : fault(value);
  return ValidateBy({
    name,
    validator: {
      validate: (value: unknown) => faultOf(value) === undefined,
      defaultMessage: (context) => `$property ${faultOf(context?.value) ?? ''}`,
    },
  });
}

function quoted(words: readonly string[], conjunction: string): string {
  return words.map((word) => `"${word}"`).join(` ${conjunction} `);
}
