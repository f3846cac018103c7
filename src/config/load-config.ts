import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { buildConfig } from './build-config.js';
import type { Config } from './config.js';
import { ConfigError } from './config-error.js';
import { checkRelations, insecureChoices } from './config-relations.js';
import { settingsOfEnvironment } from './environment.js';
import { parseIni } from './ini-file.js';
import type { Role } from './role.js';
import { unknownSettings } from './unknown-settings.js';
import { errorCode, errorMessage } from '../base/error-details.js';

export interface LoadConfigOptions {
  readonly role: Role;
  /** The folder that has the administrator's `conf.d`. */
  readonly confDir: string;
  /** The folder that has the `conf.d` of packages. */
  readonly vendorDir?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /**
   * For `--show-config`: do not ask whether the options fit together. Installers look values up before they
   * have written keys and certificates.
   */
  readonly incompleteAllowed?: boolean;
}

export interface LoadedConfig {
  readonly config: Config;
  /** For the log, one line each: what was ignored, and choices that weaken the service. */
  readonly warnings: readonly string[];
  /** The files that were read, in the order in which they were merged. */
  readonly files: readonly string[];
}

export const defaultVendorDir = '/usr/lib/ovirt-imageio';

/**
 * Reads `conf.d/*.conf` of both folders and the environment (docs/configuration.md). Files are merged in the
 * order of their base names, later ones win; of two with the same name the administrator's comes after the
 * package's. The environment wins over all files.
 * @throws ConfigError when no file is in `confDir`, a file cannot be read, or a value is wrong
 */
export function loadConfig(options: LoadConfigOptions): LoadedConfig {
  const { role, confDir, vendorDir = defaultVendorDir, environment, incompleteAllowed = false } = options;
  const files = configFiles(confDir, vendorDir);
  const contents = files.map((file) => parseIni(readText(file), file));
  const sections = contents.flatMap((content) => content.sections);
  const settings = [
    ...contents.flatMap((content) => content.settings),
    ...settingsOfEnvironment(environment),
  ];

  const { config, originOf } = buildConfig(role, settings);
  const problems = incompleteAllowed ? [] : checkRelations(config, role, originOf);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    config,
    warnings: [...unknownSettings(sections, settings), ...insecureChoices(config, role)],
    files,
  };
}

function configFiles(confDir: string, vendorDir: string): string[] {
  const adminFiles = confFiles(join(confDir, 'conf.d'));
  if (adminFiles.length === 0) {
    throw new ConfigError([{ reason: `no configuration file matches ${join(confDir, 'conf.d', '*.conf')}` }]);
  }
  // Sorting is stable, so of equal names the package's stays before the administrator's.
  return [...confFiles(join(vendorDir, 'conf.d')), ...adminFiles].sort((a, b) => {
    const [nameA, nameB] = [basename(a), basename(b)];
    return nameA < nameB ? -1 : nameA > nameB ? 1 : 0;
  });
}

function confFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.conf') && !name.startsWith('.'))
      .map((name) => join(folder, name));
  } catch (error: unknown) {
    if (errorCode(error) === 'ENOENT') return [];
    throw unreadable(folder, error);
  }
}

function readText(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error: unknown) {
    throw unreadable(file, error);
  }
}

function unreadable(path: string, error: unknown): ConfigError {
  const reason =
    errorCode(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA'
      ? 'is not UTF-8'
      : `cannot be read: ${errorMessage(error)}`;
  return new ConfigError([{ origin: path, reason }]);
}
