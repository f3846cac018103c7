import { Command } from 'commander';
import { version } from '../base/version.js';
import {
  checksum,
  copy,
  download,
  upload,
  verify,
  type MoveOptions,
  type RemoteOptions,
} from './commands.js';
import { showExtents, showInfo } from './show.js';
import type { DiskFormat } from './disk-format.js';
import { parseBlockSize, withFormat, withOutput, withService, withTransfer } from './options.js';
import { printResult, type OutputOptions } from './print-result.js';

const imageHelp = `
An IMAGE is the transfer url of a ticket, https://HOST:PORT/images/ID, or
unix:///PATH?id=ID on the host itself. A FILE of - is standard input or output.`;

type BlockOptions = RemoteOptions &
  OutputOptions & { readonly format?: DiskFormat; readonly blockSize: number };

/** The commands, from which help, manual and completions are made. */
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
    .description('make the image as the file')
    .action(async (file: string, image: string, options: MoveOptions) => {
      printResult(await upload(file, image, options), options);
    });
  withFormat(
    withOutput(withTransfer(withService(program.command('download <IMAGE> <FILE>')))),
    'of FILE; raw when absent',
  )
    .description('make the file as the image')
    .option('--overwrite', 'write over a file that has something in it', false)
    .action(async (image: string, file: string, options: MoveOptions & { overwrite: boolean }) => {
      printResult(await download(image, file, options), options);
    });
  withOutput(withTransfer(withService(program.command('copy <FROM> <TO>'))))
    .description('make an image as another, through this host')
    .action(async (from: string, to: string, options: MoveOptions) => {
      printResult(await copy(from, to, options), options);
    });
  addComparisons(program);
  return program;
}

function addComparisons(program: Command): void {
  const blockSize = ['--block-size <SIZE>', 'into which a disk is cut', parseBlockSize, 4 * 2 ** 20] as const;
  const ofFile = 'of a FILE; what it begins like when absent';
  withFormat(withOutput(withService(program.command('verify <FILE> <IMAGE>'))), ofFile)
    .description('compare a file with an image by digests')
    .option(...blockSize)
    .action(async (file: string, image: string, options: BlockOptions) => {
      printResult(await verify(file, image, options), options);
    });
  withFormat(withOutput(withService(program.command('checksum <PLACE>'))), ofFile)
    .description('print the checksum of an image or a file, as the service computes it with sha256')
    .option(...blockSize)
    .action(async (place: string, options: BlockOptions) => {
      printResult(await checksum(place, options), options);
    });
  withOutput(withService(program.command('extents <IMAGE>')))
    .description('print which parts of an image are data and which are zeroes')
    .action(async (image: string, options: RemoteOptions & OutputOptions) => {
      await showExtents(image, options);
    });
  withFormat(withOutput(withService(program.command('info <PLACE>'))), ofFile)
    .description('print what can be said of an image or a file')
    .action(async (place: string, options: RemoteOptions & OutputOptions & { format?: DiskFormat }) => {
      printResult(await showInfo(place, options), options);
    });
}
