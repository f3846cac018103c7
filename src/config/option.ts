import type { Role } from './role.js';

export type OptionValue = boolean | number | string;

export type OptionType = 'boolean' | 'integer' | 'float' | 'string' | 'enum' | 'port' | 'socket';

/**
 * One option of a section: the single place that knows its name, type, default and bounds. Parsing,
 * `--show-config` and the documentation all read it here.
 */
export interface Option<Value extends OptionValue> {
  /** The name in INI files, e.g. `max_connections`. */
  readonly name: string;
  readonly type: OptionType;
  readonly defaults: Readonly<Record<Role, Value>>;
  /** What it does and why the default is what it is: one sentence or two. */
  readonly description: string;
  /** A running service takes a new value when it is told to reload; other options need a restart. */
  readonly reloadable: boolean;
  /** The unit of the number, e.g. `seconds`. */
  readonly unit?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly choices?: readonly string[];
  /**
   * The typed value of what a file or the environment says.
   * @throws InvalidValueError with a reason for people that gives away no secret
   */
  parse(text: string): Value;
  /** The value as `--show-config` may print it: passwords are masked. */
  show(value: Value): OptionValue;
}

/** The text is no value of the option; the message says what was expected. */
export class InvalidValueError extends Error {}

/** A default for both roles, or one for each. */
export type Default<Value> = Value | Readonly<Record<Role, Value>>;

interface Description {
  readonly description: string;
  /** Default false. */
  readonly reloadable?: boolean;
}

interface NumberRules<Value> extends Description {
  readonly default: Default<Value>;
  readonly minimum: number;
  readonly maximum: number;
  readonly unit?: string;
  /** Values must be a multiple of this. */
  readonly multipleOf?: number;
}

/** A delay that Node's timers can hold: beyond 2^31 - 1 ms they fire at once. */
export const timeoutSecondsMax = 2_147_483;

export function boolean(
  name: string,
  rules: Description & { readonly default: Default<boolean> },
): Option<boolean> {
  return {
    name,
    type: 'boolean',
    defaults: perRole(rules.default),
    ...described(rules),
    parse(text) {
      const word = text.toLowerCase();
      if (['true', 'yes', '1', 'on'].includes(word)) return true;
      if (['false', 'no', '0', 'off'].includes(word)) return false;
      throw expected('true, yes, 1, on, false, no, 0 or off', text);
    },
    show: itself,
  };
}

export function integer(name: string, rules: NumberRules<number>): Option<number> {
  return number(name, 'integer', /^[+-]?\d+$/, 'an integer', rules);
}

export function float(name: string, rules: NumberRules<number>): Option<number> {
  return number(name, 'float', /^[+-]?(\d+(\.\d*)?|\.\d+)$/, 'a number', rules);
}

/** A TCP port; `minimum` may be below 0 where a negative number means something. */
export function port(
  name: string,
  rules: Description & { readonly default: Default<number>; readonly minimum?: number },
): Option<number> {
  return number(name, 'port', /^[+-]?\d+$/, 'a port', { minimum: 0, maximum: 65535, ...rules });
}

export interface StringRules extends Description {
  readonly default: Default<string>;
  /** Returns what is wrong with the value, if anything, without quoting it. */
  readonly check?: (value: string) => string | undefined;
  /** Makes a value printable that may hold a secret. */
  readonly mask?: (value: string) => string;
}

export function string(name: string, rules: StringRules): Option<string> {
  return {
    name,
    type: 'string',
    defaults: perRole(rules.default),
    ...described(rules),
    parse(text) {
      // An indented line continues the value above it, so an option that was indented by mistake ends up
      // here.
      if (text.includes('\n')) throw new InvalidValueError('spans several lines; is the next line indented?');
      if (hasControlCharacter(text)) throw new InvalidValueError('has a control character');
      const problem = rules.check?.(text);
      if (problem !== undefined) throw new InvalidValueError(problem);
      return text;
    },
    show: rules.mask ?? itself,
  };
}

/** One of a few words, in any case; `aliases` are other spellings and what they stand for. */
export function oneOf<const Choice extends string>(
  name: string,
  rules: Description & {
    readonly choices: readonly Choice[];
    readonly default: Default<NoInfer<Choice>>;
    readonly aliases?: Readonly<Record<string, NoInfer<Choice>>>;
  },
): Option<Choice> {
  const words = new Map<string, Choice>([
    ...Object.entries(rules.aliases ?? {}),
    ...rules.choices.map((choice) => [choice, choice] as const),
  ]);
  return {
    name,
    type: 'enum',
    defaults: perRole(rules.default),
    ...described(rules),
    choices: rules.choices,
    parse(text) {
      const choice = words.get(text.toLowerCase());
      if (choice === undefined) throw expected(`one of ${rules.choices.join(', ')}`, text);
      return choice;
    },
    show: itself,
  };
}

/** `sun_path` has 108 bytes: one is the final NUL of a path, or the first NUL of an abstract name. */
const socketNameBytesMax = 107;

/**
 * The name of a unix socket: a path, or an abstract name, which begins with NUL and is written `\u0000name`
 * (`\0name` is understood too), since INI files hold no NUL.
 */
export function socketName(
  name: string,
  rules: Description & { readonly default: Default<string> },
): Option<string> {
  return {
    name,
    type: 'socket',
    defaults: perRole(rules.default),
    ...described(rules),
    parse(text) {
      const value = text
        .replace(/\\u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
        .replace(/^\\0/, '\0');
      const visible = value.startsWith('\0') ? value.slice(1) : value;
      if (hasControlCharacter(visible)) {
        throw new InvalidValueError('has a control character; only the first one may be \\u0000');
      }
      const bytes = Buffer.byteLength(visible);
      if (bytes > socketNameBytesMax) {
        throw new InvalidValueError(
          `has ${bytes} bytes, more than the ${socketNameBytesMax} that a unix socket can have`,
        );
      }
      if (value === '\0') throw new InvalidValueError('has nothing after \\u0000');
      return value;
    },
    show: itself,
  };
}

function number(
  name: string,
  type: OptionType,
  syntax: RegExp,
  noun: string,
  rules: NumberRules<number>,
): Option<number> {
  const { minimum, maximum, multipleOf = 1 } = rules;
  const wanted =
    `${noun} from ${minimum} to ${maximum}` + (multipleOf === 1 ? '' : `, a multiple of ${multipleOf}`);
  return {
    name,
    type,
    defaults: perRole(rules.default),
    ...described(rules),
    minimum,
    maximum,
    ...(rules.unit === undefined ? {} : { unit: rules.unit }),
    parse(text) {
      const value = syntax.test(text) ? Number(text) : Number.NaN;
      if (!(value >= minimum && value <= maximum)) throw expected(wanted, text);
      if (multipleOf !== 1 && value % multipleOf !== 0) throw expected(wanted, text);
      // `+ 0` turns the -0 of "-0" into 0.
      return value + 0;
    },
    show: itself,
  };
}

function described({ description, reloadable = false }: Description): {
  readonly description: string;
  readonly reloadable: boolean;
} {
  return { description, reloadable };
}

function perRole<Value extends OptionValue>(value: Default<Value>): Readonly<Record<Role, Value>> {
  return typeof value === 'object' ? value : { daemon: value, proxy: value };
}

function expected(wanted: string, text: string): InvalidValueError {
  const shown = text.length > 64 ? `${text.slice(0, 64)}…` : text;
  return new InvalidValueError(`expected ${wanted}, got ${JSON.stringify(shown)}`);
}

function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

function itself<Value>(value: Value): Value {
  return value;
}
