import { describeOptions, type OptionDescription } from './describe-options.js';

const introduction = `# Configuration

<!-- Generated from src/config/sections by "npm run docs:configuration". -->

The service reads \`DIR/conf.d/*.conf\` and \`/usr/lib/ovirt-imageio/conf.d/*.conf\`, where DIR is what
\`--conf-dir\` says, by default \`/etc/ovirt-imageio\`. Files are merged in the order of their base names; an
option in a later file wins, and of two files with the same name the one in DIR comes later. At least one file
must be in \`DIR/conf.d\`.

Files are INI: \`[section]\`, \`option = value\`, and comment lines that begin with \`#\` or \`;\`. Booleans
are written true, yes, on, 1 or false, no, off, 0. An unknown section or option is ignored with one warning,
and so is one with "no effect" below. A wrong value stops the start with one line that names file, line,
section, option and reason. Of Python logging, the level of \`[logger_root]\` sets ours. \`[handlers]\`,
\`[handler_…]\` and \`[logger_root] handlers\` are ignored with one warning, as the log always goes to
standard error; \`[loggers]\` and \`[formatter_…]\` are ignored silently.

Options that are taken at SIGHUP say so below. All others need a restart; after a SIGHUP the log names those
that have changed and wait for one.

Every option can be overridden by an environment variable: \`IMAGEIO_\`, the section, two underscores, the
option, all in capitals. For example \`IMAGEIO_REMOTE__PORT=0\`.

\`ovirt-imageio --show-config\` prints the result as JSON. \`[logger_root] level\` is in it as well, in the
words of Python, for programs that read it there.
`;

/** The reference of all options as Markdown: the whole text of docs/configuration.md. */
export function configurationReference(): string {
  const sections = Map.groupBy(describeOptions(), ({ section }) => section);
  return [introduction, ...[...sections.values()].map(sectionText)].join('\n');
}

function sectionText(options: readonly OptionDescription[]): string {
  const [first] = options;
  if (first === undefined) return '';
  return [
    `## [${first.section}]`,
    '',
    first.sectionDescription,
    '',
    '| option | default | values | meaning |',
    '| --- | --- | --- | --- |',
    ...options.map((option) => row([code(option.option), defaults(option), values(option), meaning(option)])),
    '',
  ].join('\n');
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
}

function defaults({ defaults: byRole }: OptionDescription): string {
  if (byRole === undefined) return '';
  const [daemon, proxy] = [shown(byRole.daemon), shown(byRole.proxy)];
  return daemon === proxy ? daemon : `${daemon}; proxy: ${proxy}`;
}

function shown(value: string | number | boolean): string {
  if (value === '') return 'empty';
  return code(String(value).replace('\0', String.raw`\u0000`));
}

function values({ type, unit, minimum, maximum, choices }: OptionDescription): string {
  if (type === 'ignored') return 'no effect';
  if (choices !== undefined) return choices.map(code).join(', ');
  if (minimum === undefined || maximum === undefined) return type;
  return [`${minimum} to ${maximum}`, ...(unit === undefined ? [] : [unit])].join(' ');
}

function meaning({ description, reloadable = false }: OptionDescription): string {
  return reloadable ? `${description} Taken at SIGHUP.` : description;
}

function code(text: string): string {
  return `\`${text}\``;
}
