/**
 * A manual page in man(7) macros, made of what a program prints for `--help`: its usage, a sentence about it,
 * lists of commands and options with what they do in a second column, and paragraphs.
 * @param name as the program is called where the page is installed
 * @param command as the help calls it
 * @param sections more of the page: a title and its paragraphs
 */
export function manualOfHelp({ name, command, help, version, sections = [], seeAlso = [] }) {
  const [usage, about, ...blocks] = help.trim().split('\n\n');
  const clause = `${about.charAt(0).toLowerCase()}${about.slice(1).replace(/\.$/, '')}`;
  const called = usage.replace(/^Usage: /, '').replaceAll(command, name);
  return [
    `.TH ${escaped(name.toUpperCase())} 8 "" "ovirt-imageio ${escaped(version)}" "System Administration"`,
    '.SH NAME',
    `${escaped(name)} \\- ${escaped(clause)}`,
    '.SH SYNOPSIS',
    `.B ${escaped(called)}`,
    '.SH DESCRIPTION',
    escaped(about),
    ...blocks.flatMap(blockOf),
    ...sections.flatMap(([title, ...paragraphs]) => [
      `.SH ${title}`,
      ...paragraphs.flatMap((paragraph, index) => [...(index === 0 ? [] : ['.PP']), escaped(paragraph)]),
    ]),
    '.SH SEE ALSO',
    seeAlso.map((page) => `.BR ${escaped(page).replace('(', ' (')}`).join(',\n'),
    '',
  ].join('\n');
}

/** A list under a title that ends with a colon, `Title: text` in one line, or a paragraph. */
function blockOf(block) {
  const [first, ...rows] = block.split('\n');
  if (/^\w+:$/.test(first)) return [`.SH ${first.slice(0, -1).toUpperCase()}`, ...rowsOf(rows)];
  const words = block.replaceAll('\n', ' ');
  const [, title, text] = /^([A-Z][a-z]+(?: [a-z]+)?): (.*)$/.exec(words) ?? [];
  return title === undefined ? ['.PP', escaped(words)] : [`.SH ${title.toUpperCase()}`, escaped(text)];
}

/** Of two columns: what stands in the first begins a row. */
function rowsOf(lines) {
  const rows = [];
  for (const line of lines) {
    const [, term, words = ''] = /^ {2,6}(\S.*?)(?: {2,}(\S.*))?$/.exec(line) ?? [];
    if (term === undefined) rows.at(-1)?.words.push(line.trim());
    else rows.push({ term, words: words === '' ? [] : [words] });
  }
  return rows.flatMap(({ term, words }) => [
    '.TP',
    `.B ${escaped(term)}`,
    escaped(asSentence(words.join(' '))),
  ]);
}

/** What begins with the commands that an option is for stays as these are typed. */
function asSentence(words) {
  const isOfCommands = /^[\w-]+[:,]/.test(words);
  return `${isOfCommands ? words : `${words.charAt(0).toUpperCase()}${words.slice(1)}`}.`;
}

/** In what roff reads: no request at the start of a line, hyphens and backslashes as they are typed. */
function escaped(words) {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&');
}
