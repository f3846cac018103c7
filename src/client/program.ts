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
import type { DiskFormat } from '../qemu/disk-format.js';
import {
  downloadDisk,
  uploadDisk,
  type DownloadDiskOptions,
  type UploadDiskOptions,
} from './engine/disk-commands.js';
import { examplesText } from './examples.js';
import {
  diskFormat,
  fileFormat,
  parseBlockSize,
  parseBufferSize,
  withComparison,
  withEngine,
  withFormat,
  withLog,
  withOutput,
  withService,
  withTransfer,
} from './options.js';
import { printResult, type CommandResult, type OutputOptions } from './print-result.js';
import { runCommand, type CommandOptions } from './run-command.js';
import type { ReceiptOptions } from './receipt.js';
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
  const moving = (words: string): Command =>
    withLog(withOutput(withComparison(withTransfer(withService(program.command(words))))));
  withFormat(moving('upload <FILE> <IMAGE>'), 'of FILE; what it begins like when absent')
    .description('send a disk of this host into an image')
    .action(async (file: string, image: string, options: MoveOptions & CommandOptions) => {
      await runCommand('upload', options, (log) => upload(file, image, { ...options, log }));
    });
  withFormat(moving('download <IMAGE> <FILE>'), 'of FILE; raw when absent')
    .description('write an image to a file of this host')
    .option('--overwrite', 'write over a file that has something in it', false)
    .action(async (image: string, file: string, options: DownloadOptions & CommandOptions) => {
      await runCommand('download', options, (log) => download(image, file, { ...options, log }));
    });
  moving('copy <FROM> <TO>')
    .description('send an image into another one, through this host')
    .action(async (from: string, to: string, options: MoveOptions & CommandOptions) => {
      await runCommand('copy', options, (log) => copy(from, to, { ...options, log }));
    });
  addComparisons(program);
  addEngineCommands(program);
  addCompletion(program);
  for (const command of program.commands) command.addHelpText('after', () => examplesText(command.name()));
  return program;
}

function addComparisons(program: Command): void {
  const blockSize = ['--block-size <SIZE>', 'into which a disk is cut', parseBlockSize, 4 * 2 ** 20] as const;
  const ofFile = 'of a FILE; what it begins like when absent';
  withFormat(withLog(withOutput(withService(program.command('verify <FILE> <IMAGE>')))), ofFile)
    .description('compare a file with an image by digests')
    .option(...blockSize)
    .action(async (file: string, image: string, options: BlockOptions) => {
      await runCommand('verify', options, () => verify(file, image, options));
    });
  withFormat(withLog(withOutput(withService(program.command('checksum <PLACE>')))), ofFile)
    .description('print the checksum of an image or a file, as the service computes it with sha256')
    .option(...blockSize)
    .action(async (place: string, options: BlockOptions) => {
      await runCommand('checksum', options, () => checksum(place, options));
    });
  withFormat(
    withLog(withOutput(withService(program.command('receipt <PLACE>')))),
    'of the disk; what it begins like when absent',
  )
    .description('check the receipt of an image, or one in a file, which proves what the image had and when')
    .option('--save <FILE>', 'keep the receipt in a new FILE')
    .option(
      '--host <HOST>',
      'whose key it has to be signed with; that of any host of the authority when absent',
    )
    .option('--disk <FILE>', 'which the receipt has to be of')
    .option(...blockSize)
    .action(async (place: string, options: ReceiptOptions & CommandOptions) => {
      await runCommand('receipt', options, async () => {
        // What it takes to verify signatures is loaded by no other command.
        const { receipt } = await import('./receipt.js');
        return receipt(place, options);
      });
    });
  withLog(withOutput(withService(program.command('extents <IMAGE>'))))
    .description('print which parts of an image are data and which are zeroes')
    .action(async (image: string, options: RemoteOptions & CommandOptions) => {
      await runCommand('extents', options, () => showExtents(image, options));
    });
  withFormat(withLog(withOutput(withService(program.command('info <PLACE>')))), ofFile)
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

/** Those of ovirt-img, flag for flag. With JSON its lines are the output, and there is no result besides. */
function addEngineCommands(program: Command): void {
  const print = (result: CommandResult, options: OutputOptions): void => {
    if (options.output === 'text') printResult(result, options);
  };
  const engineCommand = (words: string): Command =>
    withOutput(withTransfer(withEngine(program.command(words)), parseBufferSize));
  engineCommand('upload-disk <FILE>')
    .description('make a new disk of an engine as the file')
    .requiredOption('-s, --storage-domain <NAME>', 'where the disk is made')
    .addOption(diskFormat('of the disk (default: qcow2, of an ISO image raw)'))
    .option('--preallocated', 'allocate all of it at once, as raw disks on block storage need', false)
    .option('--disk-id <UUID>', 'of the disk; the engine makes one up when absent')
    .option('--name <NAME>', 'of the disk; that of FILE without what follows its last dot when absent')
    .option('-d, --description <TEXT>', 'of the disk', 'Uploaded by imageio')
    .addOption(fileFormat('--file-format <FORMAT>', 'of FILE; what it begins like when absent'))
    .action(async (file: string, options: UploadDiskOptions) => {
      print(await uploadDisk(file, options), options);
    });
  engineCommand('download-disk <DISK> <FILE>')
    .description('make the file as a disk of an engine, in the place of what is there')
    .addOption(diskFormat('of FILE').default('qcow2'))
    .option('-d, --description <TEXT>', 'taken for the sake of ovirt-img, which does not use it either')
    .option('--backup-id <UUID>', 'read the disk as the backup has it')
    .option('--shallow', 'only the uppermost layer of the disk, as a qcow2 file', false)
    .action(async (disk: string, file: string, options: DownloadDiskOptions) => {
      print(await downloadDisk(disk, file, options), options);
    });
}
