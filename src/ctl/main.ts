#!/usr/bin/env node
import { ImageioError } from '#sdk';
import { ConfigError } from '../config/config-error.js';
import { loadConfig } from '../config/load-config.js';
import { version } from '../base/version.js';
import { helpText, parseCommandLine, type CommandLine } from './arguments.js';
import { CommandError } from './command-error.js';
import { runCommand } from './commands.js';

const exitCodes = { failed: 1, usage: 2, unreachable: 3 } as const;

const commandLine = parseCommandLine(process.argv.slice(2));
switch (commandLine.action) {
  case 'help':
    process.stdout.write(helpText);
    break;
  case 'version':
    process.stdout.write(`${version}\n`);
    break;
  case 'refuse':
    process.stderr.write(`${commandLine.message}\n`);
    process.exitCode = exitCodes.usage;
    break;
  case 'run':
    await run(commandLine);
}

async function run({ command, role, confDir }: Extract<CommandLine, { action: 'run' }>): Promise<void> {
  // The program that reads the output, such as `head`, has closed the pipe: it wants no more, which is no
  // failure.
  process.stdout.on('error', () => process.exit(0));
  try {
    const load = () =>
      loadConfig({ role, confDir, environment: process.env, incompleteAllowed: true }).config;
    await runCommand(command, load, confDir);
  } catch (error: unknown) {
    const { message, exitCode } = explain(error);
    process.stderr.write(`ovirt-imageioctl: ${message}\n`);
    process.exitCode = exitCode;
  }
}

/** What a failure means to an operator. @throws the error itself when it is a fault of this program */
function explain(error: unknown): { message: string; exitCode: number } {
  if (error instanceof ImageioError) return { message: error.reason, exitCode: exitCodes.failed };
  if (error instanceof ConfigError || error instanceof CommandError)
    return { message: error.message, exitCode: exitCodes.failed };
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && 'syscall' in cause)
    return { message: `cannot reach the service: ${cause.message}`, exitCode: exitCodes.unreachable };
  if (cause instanceof Error && 'opensslErrorStack' in cause)
    return { message: `cannot sign: ${cause.message}`, exitCode: exitCodes.failed };
  throw error;
}
