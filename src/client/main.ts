#!/usr/bin/env node
import { CommanderError } from 'commander';
import { errorMessage } from '../base/error-details.js';
import { exitCodeOf, exitCodes } from './exit-code.js';
import { imageio } from './program.js';

// The program that reads the output, such as `head`, has closed the pipe: it wants no more.
process.stdout.on('error', () => process.exit(0));
try {
  await imageio().parseAsync();
} catch (error: unknown) {
  if (error instanceof CommanderError) {
    // It has said what is wrong, or printed its help.
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
  } else {
    process.stderr.write(`imageio: ${errorMessage(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
