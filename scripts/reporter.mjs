// A reporter for node:test: one short line for each suite or lone test, failures in full, counts at the end.
import { relative } from 'node:path';
import { inspect } from 'node:util';

/** The last line, which scripts/test.mjs adds up. */
export function countsLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

export function parseCountsLine(line) {
  const match = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line);
  if (match === null) return undefined;
  const [passed, failed, skipped] = match.slice(1).map(Number);
  return { passed, failed, skipped };
}

export default async function* report(events) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of events) {
    if (type === 'test:stderr' || type === 'test:stdout') yield data.message;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.skip !== undefined || data.todo !== undefined) {
      counts.skipped += 1;
      yield skip(data);
      continue;
    }
    if (type === 'test:fail' && isOwnFailure(data)) {
      counts.failed += 1;
      yield failure(data);
    } else if (type === 'test:pass' && data.details.type !== 'suite') {
      counts.passed += 1;
    }
    if (data.nesting === 0) yield summary(type, data);
  }
  yield `${countsLine(counts)}\n`;
}

/**
 * Whether a suite, file or test failed only because something inside it failed, which was counted already.
 */
function isOwnFailure({ details }) {
  return details.error?.failureType !== 'subtestsFailed';
}

function summary(type, { name, file, details }) {
  const where = file === undefined || name === file ? '' : ` (${shown(file)})`;
  const milliseconds = Math.round(details.duration_ms);
  return `${type === 'test:pass' ? 'ok  ' : 'FAIL'} ${shown(name)}${where} ${milliseconds} ms\n`;
}

/** A suite that is skipped counts once: what would have been in it is not known. */
function skip({ name, skip: reason }) {
  return `skip ${name}${typeof reason === 'string' && reason !== '' ? `: ${reason}` : ''}\n`;
}

function failure({ name, file, line, details }) {
  // node:test wraps what was thrown; the cause is what the test's author wants to read.
  const cause = details.error?.cause ?? details.error;
  const exit = details.error?.exitCode === undefined ? '' : ` (exit code ${details.error.exitCode})`;
  const text = cause instanceof Error ? inspect(cause, { colors: false, depth: 5 }) : `${cause}${exit}`;
  const where = file === undefined ? '' : ` ${shown(file)}${line === undefined ? '' : `:${line}`}`;
  return `\nFAIL ${shown(name)}${where}\n${indented(text)}\n\n`;
}

/** Paths as people know them: of the source, from the project's folder. */
function shown(path) {
  const here = relative(process.cwd(), path);
  return path.startsWith('/') && !here.startsWith('..')
    ? here.replace(/^\.build\//, '').replace(/\.js$/, '.ts')
    : path;
}

function indented(text) {
  return text.replace(/^/gm, '    ');
}
