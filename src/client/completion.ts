import type { Command, Option } from 'commander';

/**
 * Scripts that complete the command line of the program in a shell, made of the same definitions as its help.
 * They are static: nothing is started for a completion. Whatever is no option and no choice is completed as
 * the name of a file, which libraries that ask the program each time do not leave to the shell.
 */
export const completionShells = ['bash', 'zsh', 'fish'] as const;
export type CompletionShell = (typeof completionShells)[number];

/** @param program with its commands */
export function completionScript(program: Command, shell: CompletionShell): string {
  const name = program.name();
  const commands = program
    .createHelp()
    .visibleCommands(program)
    .map((command) => ({
      name: command.name(),
      words: command.description(),
      options: command.createHelp().visibleOptions(command),
    }));
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](name, commands);
}

interface CompletedCommand {
  readonly name: string;
  readonly words: string;
  readonly options: readonly Option[];
}

function bashScript(name: string, commands: readonly CompletedCommand[]): string {
  const choices = commands.flatMap((command) =>
    command.options.flatMap(({ argChoices = [], short, long }) =>
      argChoices.length === 0
        ? []
        : [short, long]
            .filter((flag) => flag !== undefined)
            .map((flag) => `    '${command.name} ${flag}') words='${argChoices.join(' ')}' ;;`),
    ),
  );
  const options = commands.map(
    (command) => `      ${command.name}) words='${command.options.flatMap(flagsOf).join(' ')}' ;;`,
  );
  return `_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} words=
  case "\${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD - 1]}" in
${choices.join('\n')}
  esac
  if [[ $COMP_CWORD == 1 ]]; then
    words='${commands.map((command) => command.name).join(' ')}'
  elif [[ $current == -* ]]; then
    case "\${COMP_WORDS[1]}" in
${options.join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -o bashdefault -F _${name} ${name}
`;
}

function zshScript(name: string, commands: readonly CompletedCommand[]): string {
  const cases = commands.map(({ name: command, options }) => {
    const specs = options.flatMap((option) => flagsOf(option).map((flag) => zshOption(flag, option)));
    return `        ${command}) _arguments ${[...specs, `'*:file:_files'`].join(' \\\n          ')} ;;`;
  });
  return `#compdef ${name}
_${name}() {
  local state
  local -a commands=(
${commands.map(({ name: command, words }) => `    ${zshQuoted(`${command}:${words}`)}`).join('\n')}
  )
  _arguments -C '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
${cases.join('\n')}
      esac ;;
  esac
}
if [[ $funcstack[1] == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function zshOption(flag: string, option: Option): string {
  const words = option.description.replaceAll(/[[\]:]/g, (special) => `\\${special}`);
  const value = isFlag(option)
    ? ''
    : `:value:${option.argChoices ? `(${option.argChoices.join(' ')})` : '_files'}`;
  return zshQuoted(`${flag}[${words}]${value}`);
}

function zshQuoted(words: string): string {
  return `'${words.replaceAll("'", `'\\''`)}'`;
}

function fishScript(name: string, commands: readonly CompletedCommand[]): string {
  const names = commands.map(
    (command) =>
      `complete -c ${name} -n __fish_use_subcommand -f -a ${command.name} -d ${fishQuoted(command.words)}`,
  );
  const options = commands.flatMap((command) =>
    command.options.map((option) => `complete -c ${name} ${fishOption(command.name, option)}`),
  );
  return `${[...names, ...options].join('\n')}\n`;
}

function fishOption(command: string, option: Option): string {
  const { short, long, argChoices, description } = option;
  return [
    `-n '__fish_seen_subcommand_from ${command}'`,
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
    ...(isFlag(option) ? [] : argChoices === undefined ? ['-r'] : [`-x -a '${argChoices.join(' ')}'`]),
    `-d ${fishQuoted(description)}`,
  ].join(' ');
}

function fishQuoted(words: string): string {
  return `'${words.replaceAll(/['\\]/g, (special) => `\\${special}`)}'`;
}

function flagsOf({ short, long }: Option): readonly string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

/** It takes no value. */
function isFlag({ required, optional }: Option): boolean {
  return !required && !optional;
}
