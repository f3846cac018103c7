import { InvalidArgumentError, Option, type Command } from 'commander';
import { KiB, MiB } from '../base/units.js';
import { logLevels } from './log.js';
import { progressForms } from './report/report.js';

/** The suffixes of sizes, as qemu-img has them. */
const sizeUnits: Readonly<Record<string, number>> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** @param text bytes, or a number with one of the suffixes `k`, `m`, `g`, `t` */
export function parseSize(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([kmgt]?)$/i.exec(text) ?? [];
  const bytes = Math.round(Number(number ?? NaN) * (sizeUnits[unit.toLowerCase()] ?? 1));
  if (!Number.isSafeInteger(bytes) || bytes <= 0) throw new InvalidArgumentError('It is a size such as 8m.');
  return bytes;
}

export function parseBlockSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes % 4096 !== 0 || bytes < MiB || bytes > 16 * MiB)
    throw new InvalidArgumentError('It is a multiple of 4096 from 1m to 16m.');
  return bytes;
}

/** A size of buffers as ovirt-img has it: from 64k on, of which less than 1m counts as 1m. */
export function parseBufferSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes < 64 * KiB || bytes > 16 * MiB) throw new InvalidArgumentError('It is a size from 64k to 16m.');
  const blocks = Math.floor(Math.max(bytes, MiB) / 4096);
  return blocks * 4096;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 64) throw new InvalidArgumentError('It is 1 to 64.');
  return count;
}

function parseRetries(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It is a number of times.');
  return Number(text);
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!/^\d{1,5}(\.\d{1,3})?$/.test(text) || seconds < 0.1)
    throw new InvalidArgumentError('It is a number of seconds, at least 0.1.');
  return seconds;
}

/** How to reach a service. */
export function withService(command: Command): Command {
  return command
    .option('--cafile <FILE>', 'certificates (PEM) of the authorities that the service is verified with')
    .option(
      '--insecure',
      'take any certificate: whoever is in the middle can read and change the disk',
      false,
    )
    .option('--signed-ticket <FILE>', 'open a session at a proxy with the signed ticket in FILE, and end it')
    .addOption(retries());
}

function retries(): Option {
  return new Option('--retries <N>', 'tries in a row without progress').argParser(parseRetries).default(10);
}

/** Which engine, who asks it, and where it is told of what happens. */
export function withEngine(command: Command): Command {
  return command
    .option('-c, --config <SECTION>', 'read the section of ~/.config/ovirt-img.conf for what is not given')
    .option('--engine-url <URL>', 'https://HOST of the engine')
    .option('--username <NAME>', 'of a user of the engine, e.g. admin@internal')
    .option('--password-file <FILE>', 'its password; it is asked for when it is nowhere')
    .option('--cafile <FILE>', 'certificates (PEM) of the authority of the engine and its hosts')
    .option(
      '--insecure',
      'take any certificate: whoever is in the middle can read and change the disk',
      false,
    )
    .addOption(retries())
    .option('--log-file <FILE>', 'log to FILE instead of standard error')
    .addOption(new Option('--log-level <LEVEL>', 'how much').choices(logLevels).default('warning'));
}

export function withFormat(command: Command, words: string): Command {
  return command.addOption(fileFormat('--format <FORMAT>', words));
}

/** One of those that a file may have. */
export function fileFormat(flags: string, words: string): Option {
  return new Option(flags, words).choices(['raw', 'qcow2', 'vmdk', 'vhdx', 'vdi']);
}

/** One of those that an engine knows. */
export function diskFormat(words: string): Option {
  return new Option('-f, --format <FORMAT>', words).choices(['raw', 'qcow2']);
}

/**
 * How a disk is moved, and what is shown of it.
 * @param parseBuffer what lengths a piece may have
 */
export function withTransfer(command: Command, parseBuffer = parseBlockSize): Command {
  return command
    .addOption(new Option('-m, --max-workers <N>', 'pieces moved at once').argParser(parseCount).default(4))
    .addOption(
      new Option('--buffer-size <SIZE>', 'length of a piece').argParser(parseBuffer).default(4 * MiB, '4m'),
    )
    .addOption(new Option('--limit-rate <SIZE>', 'no more than that a second').argParser(parseSize))
    .option('--no-sparse', 'send zeroes as they are')
    .option('--no-preflight', 'begin also where it is known before that the transfer would fail')
    .option('--verify', 'compare what was written with what was read', false)
    .addOption(
      new Option('--resume <WHEN>', 'go on where the same command was interrupted')
        .choices(['auto', 'no'])
        .default('auto'),
    )
    .addOption(
      new Option('--checkpoint <SECONDS>', 'how often it is made sure that what was moved stays')
        .argParser(parseSeconds)
        .default(60),
    )
    .option('--state <FILE>', 'where it is remembered how far a transfer is')
    .addOption(
      new Option('--progress <FORM>', 'how progress is shown').choices(progressForms).default('auto'),
    );
}

/** Of the two sides the one that a service has tells digests of its blocks. */
export function withComparison(command: Command): Command {
  return command.option(
    '--only-changed',
    'compare both sides first, by digests of blocks, and move only what differs',
    false,
  );
}

export function withOutput(command: Command): Command {
  return command
    .addOption(new Option('-o, --output <FORM>', 'how to print').choices(['text', 'json']).default('text'))
    .option('-q, --quiet', 'print nothing but failures', false);
}

/** Where a command tells what happens. */
export function withLog(command: Command): Command {
  return command.option('--log-file <FILE>', 'append what happens to FILE, a line with its time for each');
}
