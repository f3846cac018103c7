import { parseArgs, type ParseArgsConfig } from 'node:util';
import { defaultConfDir } from '../config/load-config.js';
import { roles, type Role } from '../config/role.js';
import { secondsMax } from '../contract/schemas.js';

export type Command =
  | { readonly name: 'add-ticket'; readonly file: string }
  | { readonly name: 'show-ticket'; readonly id: string; readonly output: Output | undefined }
  | { readonly name: 'list-tickets'; readonly output: Output; readonly watchSeconds: number | undefined }
  | { readonly name: 'mod-ticket'; readonly id: string; readonly timeoutSeconds: number }
  | { readonly name: 'del-ticket'; readonly id: string }
  | {
      readonly name: 'copy';
      /** Ids of tickets. */
      readonly source: string;
      readonly target: string;
      readonly dirty: boolean;
      readonly verify: boolean;
      readonly output: Output;
    }
  | { readonly name: 'start-profile' | 'stop-profile' }
  | {
      readonly name: 'sign-ticket';
      readonly id: string;
      readonly imagedUri: string;
      readonly keyFile: string;
      readonly certFile: string;
      readonly lifetimeSeconds: number;
    };

export type Output = 'text' | 'json';

export type CommandLine =
  | { readonly action: 'run'; readonly command: Command; readonly role: Role; readonly confDir: string }
  | { readonly action: 'help' }
  | { readonly action: 'version' }
  | { readonly action: 'refuse'; readonly message: string };

export const helpText = `Usage: ovirt-imageioctl [-c DIR] [--role daemon|proxy] COMMAND [options]

Manages the tickets of a running daemon or proxy through its control socket.

Commands:
  add-ticket FILE          add the ticket in the JSON file FILE; - is the
                           standard input
  show-ticket ID           show a ticket and the progress of its transfer
  list-tickets             list all tickets
  mod-ticket ID --timeout SECONDS
                           let a ticket expire SECONDS from now
  del-ticket ID            remove a ticket and stop its transfer
  copy SOURCE TARGET       have the daemon copy the image of the ticket SOURCE
                           to that of TARGET, and show the progress until it
                           is done; an interruption cancels the copy
  start-profile, stop-profile
                           not supported: say what to do instead
  sign-ticket ID --imaged-uri URI --key FILE --cert FILE
                           print a signed ticket as the engine makes it, for
                           development: the key is the engine's secret

An ID is a secret that others see in the list of processes: with - for ID,
SOURCE or TARGET it is read from the standard input, on a line of its own.

Options:
  -c, --conf-dir DIR       find the control socket in DIR/conf.d/*.conf
                           (default ${defaultConfDir})
      --role daemon|proxy  whose defaults the configuration has (default daemon)
  -o, --output text|json   show-ticket, list-tickets, copy: how to print
                           (default text; show-ticket: json, unless to a
                           terminal)
  -w, --watch              list-tickets: again and again, until interrupted
      --interval SECONDS   list-tickets: time between two lists, 1 to 86400
                           (default 1)
      --timeout SECONDS    mod-ticket: when the ticket expires
      --dirty              copy: only what changed since the checkpoint
      --verify             copy: compare both images in the end
      --imaged-uri URI     sign-ticket: the daemon, e.g. https://host:54322
      --key FILE           sign-ticket: PEM of the engine's private key
      --cert FILE          sign-ticket: PEM of the engine's certificate
      --lifetime SECONDS   sign-ticket: how long it is valid (default 3600)
      --version            print the version and exit
  -h, --help               print this text and exit

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no service there.
`;

const options = {
  'conf-dir': { type: 'string', short: 'c', default: defaultConfDir },
  role: { type: 'string', default: 'daemon' },
  output: { type: 'string', short: 'o' },
  watch: { type: 'boolean', short: 'w' },
  interval: { type: 'string' },
  timeout: { type: 'string' },
  dirty: { type: 'boolean' },
  verify: { type: 'boolean' },
  'imaged-uri': { type: 'string' },
  key: { type: 'string' },
  cert: { type: 'string' },
  lifetime: { type: 'string' },
  version: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsConfig['options'];

type Option = keyof typeof options;

interface Rule {
  /** What must follow the name, for people. */
  readonly operands: readonly string[];
  readonly options: readonly Option[];
}

const rules: Readonly<Record<Command['name'], Rule>> = {
  'add-ticket': { operands: ['FILE'], options: [] },
  'show-ticket': { operands: ['ID'], options: ['output'] },
  'list-tickets': { operands: [], options: ['output', 'watch', 'interval'] },
  'mod-ticket': { operands: ['ID'], options: ['timeout'] },
  'del-ticket': { operands: ['ID'], options: [] },
  copy: { operands: ['SOURCE', 'TARGET'], options: ['dirty', 'verify', 'output'] },
  'start-profile': { operands: [], options: [] },
  'stop-profile': { operands: [], options: [] },
  'sign-ticket': { operands: ['ID'], options: ['imaged-uri', 'key', 'cert', 'lifetime'] },
};

interface Bounds {
  readonly minimum: number;
  readonly maximum: number;
}

/**
 * The shortest interval of a watch: nobody reads more than one list a second, and each costs the service
 * time.
 */
const intervalBounds: Bounds = { minimum: 1, maximum: 86_400 };
/** As in the contract. */
const timeoutBounds: Bounds = { minimum: 0, maximum: secondsMax };
/** Ten years: longer than the certificate of any engine is valid. */
const lifetimeBounds: Bounds = { minimum: 1, maximum: 315_360_000 };

class UsageError extends Error {}

/** @param args the command line without the program, `process.argv.slice(2)` */
export function parseCommandLine(args: readonly string[]): CommandLine {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (values.help === true) return { action: 'help' };
    if (values.version === true) return { action: 'version' };
    const role = roles.find((known) => known === values.role);
    if (role === undefined) throw new UsageError(`--role must be ${roles.join(' or ')}`);
    const command = parseCommand(values, positionals);
    return { action: 'run', command, role, confDir: values['conf-dir'] };
  } catch (error: unknown) {
    // A TypeError is how parseArgs says that what was typed does not fit the table.
    if (!(error instanceof UsageError || error instanceof TypeError)) throw error;
    const message = `ovirt-imageioctl: ${error.message}\nTry 'ovirt-imageioctl --help'.`;
    return { action: 'refuse', message };
  }
}

type Values = Partial<Record<Option, string | boolean>>;

function parseCommand(values: Values, [name, ...given]: readonly string[]): Command {
  if (name === undefined) throw new UsageError('a command is missing');
  if (!isCommandName(name)) throw new UsageError(`there is no command ${JSON.stringify(name)}`);
  const rule = rules[name];
  const { operands } = rule;
  if (given.length > operands.length) throw new UsageError(`${name} was given too much`);
  if (given.length < operands.length || given.includes(''))
    throw new UsageError(`${name} needs ${operands.join(' and ')}`);
  const common: readonly string[] = ['conf-dir', 'role'];
  for (const option of Object.keys(values))
    if (!common.includes(option) && !rule.options.some((known) => known === option))
      throw new UsageError(`${name} has no option --${option}`);
  const inputs = [...given, values.key, values.cert].filter((source) => source === '-');
  if (inputs.length > 1) throw new UsageError('only one thing can be read from the standard input');
  return commandOf(name, given, values);
}

function commandOf(
  name: Command['name'],
  [operand = '', secondOperand = '']: readonly string[],
  values: Values,
): Command {
  switch (name) {
    case 'add-ticket':
      return { name, file: operand };
    case 'show-ticket':
      return { name, id: operand, output: values.output === undefined ? undefined : outputOf(values) };
    case 'list-tickets': {
      const interval = seconds(values, 'interval', intervalBounds, '1');
      return { name, output: outputOf(values), watchSeconds: values.watch === true ? interval : undefined };
    }
    case 'mod-ticket':
      return { name, id: operand, timeoutSeconds: seconds(values, 'timeout', timeoutBounds) };
    case 'del-ticket':
      return { name, id: operand };
    case 'copy':
      return {
        name,
        source: operand,
        target: secondOperand,
        dirty: values.dirty === true,
        verify: values.verify === true,
        output: outputOf(values),
      };
    case 'start-profile':
    case 'stop-profile':
      return { name };
    case 'sign-ticket':
      return {
        name,
        id: operand,
        imagedUri: text(values, 'imaged-uri'),
        keyFile: text(values, 'key'),
        certFile: text(values, 'cert'),
        lifetimeSeconds: seconds(values, 'lifetime', lifetimeBounds, '3600'),
      };
  }
}

function isCommandName(name: string): name is Command['name'] {
  return Object.hasOwn(rules, name);
}

function text(values: Values, name: Option, fallback?: string): string {
  const value = values[name] ?? fallback;
  if (typeof value !== 'string' || value === '') throw new UsageError(`--${name} is required`);
  return value;
}

function seconds(values: Values, name: Option, { minimum, maximum }: Bounds, fallback?: string): number {
  const value = text(values, name, fallback);
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= minimum && number <= maximum))
    throw new UsageError(`--${name} must be a whole number of seconds from ${minimum} to ${maximum}`);
  return number;
}

function outputOf(values: Values): Output {
  const output = text(values, 'output', 'text');
  if (output !== 'text' && output !== 'json') throw new UsageError('--output must be text or json');
  return output;
}
