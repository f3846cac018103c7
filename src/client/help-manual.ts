import { version } from '../base/version.js';
import { asClause, asSentence, tagged, text } from './roff.js';

export interface HelpManual {
  /** As the program is called where the page is installed. */
  readonly name: string;
  /** As the help calls it. */
  readonly command: string;
  readonly help: string;
  /** More of the page: titles and their paragraphs. */
  readonly sections?: readonly (readonly [title: string, ...paragraphs: string[]])[];
  /** Other pages, as `name(section)`. */
  readonly seeAlso: readonly string[];
}

/**
 * A manual page in man(7) macros, made of what a program prints for `--help`: its usage, a sentence about it,
 * lists of commands and options with what they do in a second column, and paragraphs.
 */
export function manualOfHelp({ name, command, help, sections = [], seeAlso }: HelpManual): string {
  const [usage = '', about = '', ...blocks] = help.trim().split('\n\n');
  const called = usage.replace(/^Usage: /, '').replaceAll(command, name);
  return [
    `.TH ${text(name.toUpperCase())} 8 "" "ovirt-imageio ${text(version)}" "System Administration"`,
    '.SH NAME',
    `${text(name)} \\- ${text(asClause(about))}`,
    '.SH SYNOPSIS',
    `.B ${text(called)}`,
    '.SH DESCRIPTION',
    text(about),
    ...blocks.flatMap(blockOf),
    ...sections.flatMap(([title, ...paragraphs]) => [
      `.SH ${title}`,
      ...paragraphs.flatMap((paragraph, index) => [...(index === 0 ? [] : ['.PP']), text(paragraph)]),
    ]),
    '.SH SEE ALSO',
    seeAlso.map((page) => `.BR ${text(page).replace('(', ' (')}`).join(',\n'),
    '',
  ].join('\n');
}

/** A list under a title that ends with a colon, `Title: text` in one line, or a paragraph. */
function blockOf(block: string): readonly string[] {
  const [first = '', ...rows] = block.split('\n');
  if (/^\w+:$/.test(first)) return [`.SH ${first.slice(0, -1).toUpperCase()}`, ...rowsOf(rows)];
  const words = block.replaceAll('\n', ' ');
  const [, title, rest = ''] = /^([A-Z][a-z]+(?: [a-z]+)?): (.*)$/.exec(words) ?? [];
  return title === undefined ? ['.PP', text(words)] : [`.SH ${title.toUpperCase()}`, text(rest)];
}

/** Of two columns: what stands in the first begins a row. */
function rowsOf(lines: readonly string[]): readonly string[] {
  const rows: { readonly term: string; readonly words: string[] }[] = [];
  for (const line of lines) {
    const [, term, words = ''] = /^ {2,6}(\S.*?)(?: {2,}(\S.*))?$/.exec(line) ?? [];
    if (term === undefined) rows.at(-1)?.words.push(line.trim());
    else rows.push({ term, words: words === '' ? [] : [words] });
  }
  return rows.flatMap(({ term, words }) => tagged(`.B ${text(term)}`, aboutRow(words.join(' '))));
}

/** What begins with the commands that an option is for stays as these are typed. */
function aboutRow(words: string): string {
  return /^[\w-]+[:,]/.test(words) ? `${words}.` : asSentence(words);
}
