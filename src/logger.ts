import pino from 'pino';
import { boundedRecord, escapeControls } from './log-record.js';

/** The service's log: pino, one JSON line a record on stderr. */
export type Logger = pino.Logger;

export const LOGGER = Symbol('LOGGER');

export interface LoggerOptions {
  readonly level: string;
  readonly format: 'json' | 'pretty';
  /** R9: the most bytes of one record, its line end included, whatever a client sends. */
  readonly recordBytesMax: number;
}

/** Where lines go. */
export interface LogDestination {
  write(line: string): unknown;
}

/**
 * Makes the logger. Records go to stderr: stdout belongs to `--show-config` and to people.
 * Nothing that opens a door (ticket and session ids, signed tickets, keys) is ever passed to it.
 */
export function createLogger(options: LoggerOptions, destination: LogDestination = standardError()): Logger {
  const format = options.format === 'json' ? (line: string) => line : prettyLine;
  return pino(
    {
      level: options.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (record) =>
          Object.fromEntries(
            Object.entries(record).map(([name, value]) => [
              name,
              // The stack would be most of the record, and says where in the service, not what to do about it.
              value instanceof Error ? describeError(value) : value,
            ]),
          ),
      },
    },
    {
      write: (line: string) => destination.write(format(boundedRecord(line, options.recordBytesMax))),
    },
  );
}

/**
 * A line that cannot be written is lost, and the next one is tried anew: a full disk under the log must not end transfers (R8), and there is
 * nowhere to tell of it. A destination that failed would keep its lines without bound.
 */
function standardError(): LogDestination {
  let destination = open();
  return { write: (line) => destination.write(line) };

  function open(): ReturnType<typeof pino.destination> {
    return pino.destination({ dest: 2, sync: true }).on('error', () => {
      destination = open();
    });
  }
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
  msg?: string;
  [field: string]: unknown;
}

/** For a terminal: time, level, message, then the fields as JSON. Control characters stay escaped in all of them. */
function prettyLine(line: string): string {
  const { time, level, msg = '', ...fields } = JSON.parse(line) as LogRecord;
  delete fields['pid'];
  const message = escapeControls(JSON.stringify(msg).slice(1, -1)).replaceAll(String.raw`\"`, '"');
  const detail = Object.keys(fields).length === 0 ? '' : ` ${escapeControls(JSON.stringify(fields))}`;
  return `${time} ${level.toUpperCase()} ${message}${detail}\n`;
}
