#!/usr/bin/env node
import { CommanderError } from 'commander';
import { errorMessage } from '../base/error-details.js';
import { exitCodeOf, exitCodes } from './exit-code.js';
import { imageio } from './program.js';

// Who reads the output has gone: what is left of it cannot be delivered, which of a disk is a failure.
process.stdout.on('error', () => process.exit(exitCodes.failed));
// A terminal that has gone takes no words any more, and the disk is moved or stopped all the same.
process.stderr.on('error', () => undefined);
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
