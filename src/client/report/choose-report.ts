import { BarReport } from './bar-report.js';
import { JsonReport } from './json-report.js';
import { PlainReport } from './plain-report.js';
import type { ProgressForm, Report } from './report.js';

const silent: Report = {
  progress: () => undefined,
  note: (words) => process.stderr.write(`${words}\n`),
  end: () => undefined,
};

/** Progress goes to where it does not mix with what else is written: to standard error, but as JSON. */
export function chooseReport(options: {
  readonly output: 'text' | 'json';
  readonly quiet: boolean;
  readonly progress: ProgressForm;
}): Report {
  const { output, quiet, progress } = options;
  if (quiet || progress === 'none') return silent;
  if (output === 'json') return new JsonReport((line) => process.stdout.write(`${line}\n`));
  const isBar = progress === 'bar' || (progress === 'auto' && process.stderr.isTTY);
  return isBar ? new BarReport(process.stderr) : new PlainReport((line) => process.stderr.write(`${line}\n`));
}
