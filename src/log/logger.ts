import pino from 'pino';
import { boundedRecord, escapeControls } from './log-record.js';
import { LogWriter, type LogDestination } from './log-writer.js';
import { timestamp } from './timestamp.js';

/** The service's log: pino, one JSON line a record on stderr. */
export type Logger = pino.Logger;

export const LOGGER = Symbol('LOGGER');

export interface LoggerOptions {
  readonly level: string;
  readonly format: 'json' | 'pretty';
  /** The most bytes of one record, its line end included, whatever a client sends. */
  readonly recordBytesMax: number;
}

/**
 * Makes the logger. Records go to stderr: stdout belongs to `--show-config` and to people. Secrets (ticket
 * and session ids, signed tickets, keys) are never passed to it.
 */
export function createLogger(options: LoggerOptions, destination: LogDestination = new LogWriter()): Logger {
  const isJson = options.format === 'json';
  const format = isJson ? (line: string) => line : prettyLine;
  const stream = {
    // With this property pino sets `lastLevel` to the level of a record before it writes it.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write: (line: string) =>
      destination.write(format(boundedRecord(line, options.recordBytesMax)), stream.lastLevel),
  };
  const logger = pino(
    {
      level: options.level,
      base: { pid: process.pid },
      timestamp,
      // The stack of an error would be most of the record, and says where in the service, not what to do.
      serializers: { err: (error: unknown) => (error instanceof Error ? describeError(error) : error) },
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  lineWriters.set(logger, (lines) => {
    const text = isJson ? lines : lines.replaceAll(/.+\n/g, prettyLine);
    destination.write(text, pino.levels.values['info'] ?? 0);
  });
  return logger;
}

const lineWriters = new WeakMap<Logger, (lines: string) => void>();

/**
 * Writes records that another thread has made.
 * @param logger one that `createLogger` has made
 * @param lines whole lines as the logger would write them as JSON, of the level `info`
 */
export function writeLogLines(logger: Logger, lines: string): void {
  lineWriters.get(logger)?.(lines);
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

/**
 * For people: time, level, message, then the fields as `name=value`. Control characters stay escaped in all
 * of them.
 */
function prettyLine(line: string): string {
  const { time, level, msg = '', ...fields } = JSON.parse(line) as LogRecord;
  delete fields['pid'];
  const details = Object.entries(fields).map(([name, value]) => `${plain(name)}=${readable(value)}`);
  return `${[time, level.toUpperCase(), plain(msg), ...details].join(' ')}\n`;
}

/** Text in quotes where it has what separates fields; lists in brackets, what is in them by values alone. */
function readable(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=[\],]+$/.test(value) ? plain(value) : `"${plain(value)}"`;
  if (Array.isArray(value)) return `[${value.map(readable).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.values(value).map(readable).join(' ');
}

function plain(text: string): string {
  return escapeControls(JSON.stringify(text).slice(1, -1)).replaceAll(String.raw`\"`, '"');
}
