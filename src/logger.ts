import pino from 'pino';

/** The service's log: pino, one JSON line a record on stderr. */
export type Logger = pino.Logger;

export const LOGGER = Symbol('LOGGER');

export interface LoggerOptions {
  readonly level: string;
  readonly format: 'json' | 'pretty';
}

/** R9: a record is one line of bounded length, whatever a client sends. */
const fieldCharactersMax = 1024;

/**
 * Makes the logger. Records go to stderr: stdout belongs to `--show-config` and to people.
 * Nothing that opens a door (ticket and session ids, signed tickets, keys) is ever passed to it.
 */
export function createLogger(options: LoggerOptions): Logger {
  const destination = pino.destination({ dest: 2, sync: true });
  return pino(
    {
      level: options.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (record) =>
          Object.fromEntries(Object.entries(record).map(([name, value]) => [name, bounded(value)])),
      },
    },
    options.format === 'json' ? destination : prettyStream(destination),
  );
}

function bounded(value: unknown): unknown {
  if (value instanceof Error) return bounded(describeError(value));
  if (typeof value === 'string' && value.length > fieldCharactersMax)
    return `${value.slice(0, fieldCharactersMax)}…`;
  return value;
}

/** An error and its causes on one line. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = `${error.name}: ${error.message}`;
  return error.cause === undefined ? text : `${text}: ${describeError(error.cause)}`;
}

interface LogRecord {
  time: string;
  level: string;
  msg: string;
  [field: string]: unknown;
}

/** For a terminal: time, level, message, then the fields as JSON, so that control characters stay escaped. */
function prettyStream(destination: { write(text: string): unknown }): { write(line: string): void } {
  return {
    write(line) {
      const { time, level, msg, ...fields } = JSON.parse(line) as LogRecord;
      delete fields['pid'];
      const detail = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
      destination.write(`${time} ${level.toUpperCase()} ${msg}${detail}\n`);
    },
  };
}
