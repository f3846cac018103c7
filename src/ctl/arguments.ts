import { parseArgs, type ParseArgsConfig } from 'node:util';
import { defaultConfDir } from '../config/default-conf-dir.js';
import { roles, type Role } from '../config/role.js';
import { secondsMax } from '../contract/schemas.js';
import { diskFormats, type DiskFormat } from '../qemu/disk-format.js';

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
  | {
      readonly name: 'serve';
      readonly path: string;
      /** Undefined for what the disk begins like. */
      readonly format: DiskFormat | undefined;
      readonly writable: boolean;
      readonly bitmap: string | undefined;
      readonly ttlSeconds: number;
      readonly idleSeconds: number;
      readonly host: string | undefined;
      readonly port: number | undefined;
      readonly isPrivate: boolean;
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
  serve DISK               give a file or block device of this host to who has
                           the url that is printed, until all of it was moved,
                           an interruption, or --ttl: with a ticket at the
                           running daemon, else by a daemon of its own
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
  -o, --output text|json   show-ticket, list-tickets, copy, serve: how to print
                           (default text; show-ticket: json, unless to a
                           terminal)
  -w, --watch              list-tickets: again and again, until interrupted
      --interval SECONDS   list-tickets: time between two lists, 1 to 86400
                           (default 1)
      --timeout SECONDS    mod-ticket: when the ticket expires
      --dirty              copy: only what changed since the checkpoint
      --verify             copy: compare both images in the end
      --write              serve: the disk may be written as well
      --format FORMAT      serve: raw, qcow2, vmdk, vhdx or vdi (default: what
                           it begins like)
      --bitmap NAME        serve: tell the extents of this dirty bitmap
      --ttl TIME           serve: for how long, such as 90s, 30m, 1h or 2d
                           (default 1h)
      --idle TIME          serve: end also when nobody uses it for so long
                           after somebody did, because who leaves out zeroes
                           never moves all bytes (default 5m)
      --host NAME          serve: the name that clients know this host by
      --port PORT          serve: of the daemon of its own (default any free)
      --private            serve: with a daemon of its own in any case
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
  write: { type: 'boolean' },
  format: { type: 'string' },
  bitmap: { type: 'string' },
  ttl: { type: 'string' },
  idle: { type: 'string' },
  host: { type: 'string' },
  port: { type: 'string' },
  private: { type: 'boolean' },
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
  serve: {
    operands: ['DISK'],
    options: ['write', 'format', 'bitmap', 'ttl', 'idle', 'host', 'port', 'private', 'output'],
  },
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

const portMax = 65_535;
const unitSeconds: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['m', 60],
  ['h', 3600],
  ['d', 86_400],
]);

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
    case 'serve':
      return serveOf(operand, values);
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

function serveOf(path: string, values: Values): Command {
  const writable = values.write === true;
  const bitmap = values.bitmap === undefined ? undefined : text(values, 'bitmap');
  // What changes while it is told of would be missing in the next backup.
  if (writable && bitmap !== undefined) throw new UsageError('--bitmap is for reading: not with --write');
  return {
    name: 'serve',
    path,
    format: values.format === undefined ? undefined : formatOf(text(values, 'format')),
    writable,
    bitmap,
    ttlSeconds: duration(values, 'ttl', '1h'),
    idleSeconds: duration(values, 'idle', '5m'),
    host: values.host === undefined ? undefined : text(values, 'host'),
    port: values.port === undefined ? undefined : portOf(text(values, 'port')),
    isPrivate: values.private === true,
    output: outputOf(values),
  };
}

function formatOf(name: string): DiskFormat {
  const format = diskFormats.find((known) => known === name);
  if (format === undefined) throw new UsageError(`--format must be ${diskFormats.join(', ')}`);
  return format;
}

function portOf(value: string): number {
  const port = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(port >= 1 && port <= portMax)) throw new UsageError(`--port must be from 1 to ${portMax}`);
  return port;
}

/** @returns in seconds */
function duration(values: Values, name: Option, fallback?: string): number {
  const [, amount = '', unit = 's'] = /^(\d+)([smhd])?$/.exec(text(values, name, fallback)) ?? [];
  const seconds = amount === '' ? Number.NaN : Number(amount) * (unitSeconds.get(unit) ?? Number.NaN);
  if (!(seconds >= 1 && seconds <= secondsMax))
    throw new UsageError(`--${name} must be a time such as 90s, 30m, 1h or 2d`);
  return seconds;
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
