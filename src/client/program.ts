import { Argument, Command } from 'commander';
import { version } from '../base/version.js';
import {
  checksum,
  copy,
  download,
  upload,
  verify,
  type DownloadOptions,
  type MoveOptions,
  type RemoteOptions,
} from './commands.js';
import { completionScript, completionShells, type CompletionShell } from './completion.js';
import type { DiskFormat } from './disk-format.js';
import { examplesText } from './examples.js';
import { parseBlockSize, withFormat, withOutput, withService, withTransfer } from './options.js';
import { runCommand, type CommandOptions } from './run-command.js';
import { showExtents, showInfo } from './show.js';

const imageHelp = `
An IMAGE is the transfer url of a ticket, https://HOST:PORT/images/ID, or
unix:///PATH?id=ID on the host itself. A FILE of - is standard input or output.`;

type BlockOptions = RemoteOptions &
  CommandOptions & { readonly format?: DiskFormat; readonly blockSize: number };

/** The commands, from which help, the manual and completions are made. */
export function imageio(): Command {
  const program = new Command('imageio')
    .description(
      'Moves disks of virtual machines in and out of a cluster, goes on after anything, verifies them.',
    )
    .version(version)
    .addHelpText('after', imageHelp)
    .configureHelp({ helpWidth: 80 })
    .exitOverride();
  withFormat(
    withOutput(withTransfer(withService(program.command('upload <FILE> <IMAGE>')))),
    'of FILE; what it begins like when absent',
  )
    .description('send a disk of this host into an image')
    .action(async (file: string, image: string, options: MoveOptions & CommandOptions) => {
      await runCommand('upload', options, (log) => upload(file, image, { ...options, log }));
    });
  withFormat(
    withOutput(withTransfer(withService(program.command('download <IMAGE> <FILE>')))),
    'of FILE; raw when absent',
  )
    .description('write an image to a file of this host')
    .option('--overwrite', 'write over a file that has something in it', false)
    .action(async (image: string, file: string, options: DownloadOptions & CommandOptions) => {
      await runCommand('download', options, (log) => download(image, file, { ...options, log }));
    });
  withOutput(withTransfer(withService(program.command('copy <FROM> <TO>'))))
    .description('send an image into another one, through this host')
    .action(async (from: string, to: string, options: MoveOptions & CommandOptions) => {
      await runCommand('copy', options, (log) => copy(from, to, { ...options, log }));
    });
  addComparisons(program);
  addCompletion(program);
  for (const command of program.commands) command.addHelpText('after', () => examplesText(command.name()));
  return program;
}

function addComparisons(program: Command): void {
  const blockSize = ['--block-size <SIZE>', 'into which a disk is cut', parseBlockSize, 4 * 2 ** 20] as const;
  const ofFile = 'of a FILE; what it begins like when absent';
  withFormat(withOutput(withService(program.command('verify <FILE> <IMAGE>'))), ofFile)
    .description('compare a file with an image by digests')
    .option(...blockSize)
    .action(async (file: string, image: string, options: BlockOptions) => {
      await runCommand('verify', options, () => verify(file, image, options));
    });
  withFormat(withOutput(withService(program.command('checksum <PLACE>'))), ofFile)
    .description('print the checksum of an image or a file, as the service computes it with sha256')
    .option(...blockSize)
    .action(async (place: string, options: BlockOptions) => {
      await runCommand('checksum', options, () => checksum(place, options));
    });
  withOutput(withService(program.command('extents <IMAGE>')))
    .description('print which parts of an image are data and which are zeroes')
    .action(async (image: string, options: RemoteOptions & CommandOptions) => {
      await runCommand('extents', options, () => showExtents(image, options));
    });
  withFormat(withOutput(withService(program.command('info <PLACE>'))), ofFile)
    .description('print what can be said of an image or a file')
    .action(async (place: string, options: RemoteOptions & CommandOptions & { format?: DiskFormat }) => {
      await runCommand('info', options, () => showInfo(place, options));
    });
}

function addCompletion(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<SHELL>').choices(completionShells))
    .description('print a script that completes command lines of this program')
    .action((shell: CompletionShell) => {
      process.stdout.write(completionScript(program, shell));
    });
}
