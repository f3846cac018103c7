import type { ShellBlock } from './shell-blocks.js';

/**
 * What a person does who pastes the blocks one after the other: variables and functions live on from block
 * to block. A command that goes on has a terminal of its own, which at the end gets Ctrl-C.
 */
export function sessionOf(blocks: readonly ShellBlock[]): string {
  return [preamble, ...blocks.map(partOf)].join('\n');
}

// Job control gives each command of the background a process group: a terminal interrupts all of a group.
const preamble = `
set -euo pipefail -m
interrupt_all() {
  status=$?
  trap - EXIT
  for group in $(jobs -p); do kill -INT -- "-$group" 2>/dev/null || true; done
  wait
  exit "$status"
}
trap interrupt_all EXIT
trap 'exit 1' TERM
# await PID LOG TEXT: until the log has the text; fails with the log when the process ends before.
await() {
  grep --quiet --max-count=1 --fixed-strings -- "$3" <(tail --pid="$1" --lines=+1 --follow "$2") || {
    cat "$2"
    return 1
  }
}
`;

function partOf({ place, commands, trial }: ShellBlock): string {
  const announced = `echo '== ${place}'\n`;
  if (trial?.kind !== 'run until') return announced + commands;
  return `${announced}log=$(mktemp)
(
${commands}
) > "$log" 2>&1 &
await $! "$log" '${trial.readyText}'
`;
}
