import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { errorCode } from '../../base/error-details.js';
import { parseIni } from '../../config/ini-file.js';
import { UsageError } from '../usage-error.js';
import { askPassword } from './ask-password.js';
import type { EngineAccess } from './engine-connection.js';

export interface EngineOptions {
  /** The section of the configuration file. */
  readonly config?: string | undefined;
  readonly engineUrl?: string | undefined;
  readonly username?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly cafile?: string | undefined;
  readonly insecure: boolean;
  readonly retries: number;
}

/** Whoever the command line, or the section of the file that it names, says. @throws UsageError */
export async function engineAccess(options: EngineOptions): Promise<EngineAccess> {
  const section = options.config === undefined ? new Map<string, string>() : await sectionOf(options.config);
  const engineUrl = options.engineUrl ?? section.get('engine_url');
  const username = options.username ?? section.get('username');
  const missing = [
    ...(engineUrl === undefined ? ['--engine-url'] : []),
    ...(username === undefined ? ['--username'] : []),
  ];
  if (engineUrl === undefined || username === undefined)
    throw new UsageError(`${missing.join(' and ')} are needed, on the command line or in the section of -c`);
  const cafile = options.cafile ?? section.get('cafile');
  return {
    url: originOf(engineUrl),
    username,
    password: await passwordOf(options, section, username),
    ca: cafile === undefined ? undefined : await readFile(cafile, 'utf8'),
    insecure: options.insecure || !booleanOf(section.get('secure') ?? 'yes'),
    retriesMax: options.retries,
  };
}

/** The file that ovirt-img reads too. */
function configurationFile(): string {
  return join(homedir(), '.config', 'ovirt-img.conf');
}

async function sectionOf(name: string): Promise<ReadonlyMap<string, string>> {
  const file = configurationFile();
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error: unknown) {
    if (errorCode(error) === 'ENOENT') throw new UsageError(`${file}, which -c reads, is not there`);
    throw error;
  }
  const { sections, settings } = parseIni(text, file);
  if (!sections.some((section) => section.name === name))
    throw new UsageError(`${file} has no section [${name}]`);
  return new Map(
    settings.filter(({ section }) => section === name).map(({ option, value }) => [option, value]),
  );
}

/** Those of Python's configparser, which the file is written for. */
const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 'yes', 'true', 'on'].map((word) => [word, true] as const),
  ...['0', 'no', 'false', 'off'].map((word) => [word, false] as const),
]);

function booleanOf(text: string): boolean {
  const value = booleans.get(text.toLowerCase());
  if (value === undefined) throw new UsageError(`secure is yes or no, and not ${text}`);
  return value;
}

/** An engine is named by where it is; the address of its API or of its pages does as well. */
function originOf(text: string): string {
  if (!URL.canParse(text)) throw new UsageError(`${text} is no valid url`);
  const { protocol, origin, pathname } = new URL(text);
  if (protocol !== 'https:') throw new UsageError('An engine is reached by https://');
  if (!/^\/(ovirt-engine(\/api)?\/?)?$/.test(pathname))
    throw new UsageError('The url of an engine is https://HOST');
  return origin;
}

async function passwordOf(
  { passwordFile }: EngineOptions,
  section: ReadonlyMap<string, string>,
  username: string,
): Promise<string> {
  if (passwordFile !== undefined) return lineOf(passwordFile);
  const password = section.get('password');
  if (password !== undefined) return password;
  const file = section.get('password_file');
  return file === undefined ? askPassword(`Password of ${username}: `) : lineOf(file);
}

async function lineOf(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
}
