import { InvalidArgumentError, Option, type Command } from 'commander';
import { MiB } from '../base/units.js';
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
    .addOption(
      new Option('--retries <N>', 'tries in a row without progress').argParser(parseRetries).default(10),
    );
}

export function withFormat(command: Command, words: string): Command {
  return command.addOption(
    new Option('--format <FORMAT>', words).choices(['raw', 'qcow2', 'vmdk', 'vhdx', 'vdi']),
  );
}

/** How a disk is moved, and what is shown of it. */
export function withTransfer(command: Command): Command {
  return command
    .addOption(new Option('-m, --max-workers <N>', 'pieces moved at once').argParser(parseCount).default(4))
    .addOption(
      new Option('--buffer-size <SIZE>', 'length of a piece')
        .argParser(parseBlockSize)
        .default(4 * MiB, '4m'),
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

export function withOutput(command: Command): Command {
  return command
    .addOption(new Option('-o, --output <FORM>', 'how to print').choices(['text', 'json']).default('text'))
    .option('-q, --quiet', 'print nothing but failures', false)
    .option('--log-file <FILE>', 'append what happens to FILE, a line with its time for each');
}
