import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MiB } from '../src/base/units.js';
import { needs } from '../test/support/requirements.js';
import type { Stand } from './stand.js';
import { spreadOf, type Spread } from './statistics.js';

const run = promisify(execFile);
const repetitions = 3;
const blockBytes = 8 * MiB;

/** What the machine itself can do: no service moves bytes faster than this. */
export interface MachineLimit {
  readonly title: string;
  readonly mebibytesPerSecond: Spread;
}

/** Measures what the installed programs can measure. */
export async function measureLimits(stand: Stand): Promise<MachineLimit[]> {
  const limits: MachineLimit[] = [];
  if (needs('openssl') === false) {
    const speeds = await repeat(() => cipherSpeed('aes-256-gcm'));
    limits.push({ title: 'openssl speed aes-256-gcm, 16 KiB, one core', mebibytesPerSecond: speeds });
  }
  if (needs('dd') === false) {
    const reads = await repeat(() => directRead(stand.source(0)));
    limits.push({ title: 'dd read, direct, 8 MiB blocks', mebibytesPerSecond: reads });
    const copy = join(stand.folder, 'dd.img');
    const blocks = stand.options.imageBytes / blockBytes;
    // The first one allocates; what uploads do most is overwriting.
    await directWrite(copy, blocks);
    const writes = await repeat(() => directWrite(copy, blocks));
    limits.push({ title: 'dd overwrite and fsync, direct, 8 MiB blocks', mebibytesPerSecond: writes });
    await rm(copy);
  }
  return limits;
}

async function repeat(figure: () => Promise<number>): Promise<Spread> {
  const figures: number[] = [];
  for (let done = 0; done < repetitions; done += 1) figures.push(await figure());
  return spreadOf(figures);
}

/** Of one core, in MiB/s, for blocks as large as a TLS record. */
async function cipherSpeed(cipher: string): Promise<number> {
  const { stdout } = await run('openssl', [
    'speed',
    '-mr',
    '-evp',
    cipher,
    '-bytes',
    '16384',
    '-seconds',
    '1',
  ]);
  const bytesPerSecond = /^\+F:\d+:[^:]+:([\d.]+)$/m.exec(stdout)?.[1];
  if (bytesPerSecond === undefined) throw new Error(`openssl speed printed: ${stdout}`);
  return Number(bytesPerSecond) / MiB;
}

async function directRead(file: string): Promise<number> {
  return dd([`if=${file}`, 'of=/dev/null', 'iflag=direct']);
}

async function directWrite(file: string, blocks: number): Promise<number> {
  return dd(['if=/dev/zero', `of=${file}`, `count=${blocks}`, 'oflag=direct', 'conv=notrunc,fsync']);
}

/** @returns MiB/s */
async function dd(args: readonly string[]): Promise<number> {
  const { stderr } = await run('dd', [...args, `bs=${blockBytes}`], { env: { ...process.env, LC_ALL: 'C' } });
  const [, bytes, seconds] = /^(\d+) bytes.* copied, ([\d.e-]+) s/m.exec(stderr) ?? [];
  if (bytes === undefined || seconds === undefined) throw new Error(`dd printed: ${stderr}`);
  return Number(bytes) / MiB / Number(seconds);
}
