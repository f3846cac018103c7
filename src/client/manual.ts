import type { Command, Help, Option } from 'commander';
import { version } from '../base/version.js';
import { examples, type Example } from './examples.js';
import { exitCodeWords } from './exit-code.js';
import { asClause, asSentence, tagged, text } from './roff.js';

/**
 * The manual page of the program in man(7) macros, made of the same definitions as its help.
 * @param program with its commands
 */
export function manualPage(program: Command): string {
  const help = program.createHelp();
  const commands = help.visibleCommands(program).filter((command) => command.name() !== 'help');
  return [
    `.TH ${text(program.name().toUpperCase())} 1 "" "ovirt-imageio ${text(version)}" "User Commands"`,
    '.SH NAME',
    `${text(program.name())} \\- ${text(asClause(program.description()))}`,
    '.SH SYNOPSIS',
    ...commands.flatMap((command, index) => [
      ...(index === 0 ? [] : ['.PP']),
      `.B ${text(help.commandUsage(command))}`,
    ]),
    '.SH DESCRIPTION',
    ...paragraphs(descriptionText),
    '.SH COMMANDS',
    ...commands.flatMap((command) => aboutCommand(command, help)),
    '.SH EXIT STATUS',
    ...[...exitCodeWords].flatMap(([code, words]) => tagged(`.B ${code}`, words)),
    '.SH SIGNALS',
    ...tagged('.B SIGINT, SIGTERM', signalText),
    ...tagged('.B SIGUSR1', 'Prints where the transfer is.'),
    '.SH FILES',
    ...tagged('.I ~/.local/state/imageio/', stateText),
    '.SH ENVIRONMENT',
    ...tagged('.B XDG_STATE_HOME', 'Takes the place of ~/.local/state.'),
    '',
  ].join('\n');
}

const descriptionText = `An IMAGE is the transfer url of a ticket, https://HOST:PORT/images/ID, or
unix:///PATH?id=ID (unix://@NAME?id=ID for an abstract socket) on the host itself. A FILE of - is standard
input or output.

Only what has data is sent, over several connections. A transfer that was interrupted goes on when the
same command is given again. Sizes are in bytes, or have one of the suffixes k, m, g and t.`;

const signalText =
  'The first stops a transfer, flushes and remembers it. The second ends the program at once.';

const stateText = 'How far transfers are. Only their owner can read these files, because they name tickets.';

function aboutCommand(command: Command, help: Help): readonly string[] {
  return [
    `.SS ${text(help.commandUsage(command))}`,
    ...paragraphs(asSentence(command.description())),
    ...help.visibleOptions(command).flatMap((option) => aboutOption(option, help)),
    ...(examples.get(command.name()) ?? []).flatMap(aboutExample),
  ];
}

function aboutOption(option: Option, help: Help): readonly string[] {
  return tagged(`.B ${text(help.optionTerm(option))}`, asSentence(help.optionDescription(option)));
}

function aboutExample({ words, command }: Example): readonly string[] {
  return ['.PP', `${text(words)}:`, '.PP', '.RS 4', '.EX', text(command), '.EE', '.RE'];
}

function paragraphs(words: string): readonly string[] {
  return words
    .split('\n\n')
    .flatMap((paragraph, index) => [...(index === 0 ? [] : ['.PP']), text(paragraph.replaceAll('\n', ' '))]);
}
