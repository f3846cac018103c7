import { configSections, type Config } from './config.js';
import { ConfigError, type ConfigProblem } from './config-error.js';
import { InvalidValueError, type OptionValue } from './option.js';
import type { Role } from './role.js';
import type { Section } from './section.js';
import type { Setting } from './setting.js';

/** Where an option was set; nothing when it has its default. */
export type Origins = (section: string, option: string) => string | undefined;

/**
 * The configuration that settings make, over the defaults of the role. Of two settings of one option the
 * later counts, and only that one is judged.
 * @throws ConfigError with every value that is wrong
 */
export function buildConfig(role: Role, settings: readonly Setting[]): { config: Config; originOf: Origins } {
  const effective = new Map(settings.map((setting) => [key(setting.section, setting.option), setting]));
  // The level that files for Python's logging set counts, unless `[logging] level` is set as well.
  const pythonLevel = effective.get(key('logger_root', 'level'));
  if (pythonLevel !== undefined && !effective.has(key('logging', 'level'))) {
    effective.set(key('logging', 'level'), pythonLevel);
  }

  const problems: ConfigProblem[] = [];
  const valuesOf = (section: Section) =>
    Object.fromEntries(
      Object.entries(section.options).map(([property, option]): [string, OptionValue] => {
        const setting = effective.get(key(section.name, option.name));
        if (setting === undefined) return [property, option.defaults[role]];
        try {
          return [property, option.parse(setting.value)];
        } catch (error: unknown) {
          if (!(error instanceof InvalidValueError)) throw error;
          problems.push({
            origin: setting.origin,
            section: setting.section,
            option: setting.option,
            reason: error.message,
          });
          return [property, option.defaults[role]];
        }
      }),
    );
  const values = Object.fromEntries(
    Object.entries(configSections).map(([property, section]) => [property, valuesOf(section)]),
    // Each section's type is derived from the very table that its values were just read by.
  ) as unknown as Config;
  if (problems.length > 0) throw new ConfigError(problems);

  return {
    config: freeze({ ...values, backendHttp: withCaFile(values) }),
    originOf: (section, option) => effective.get(key(section, option))?.origin,
  };
}

function withCaFile({ backendHttp, tls }: Config): Config['backendHttp'] {
  return backendHttp.caFile === '' ? { ...backendHttp, caFile: tls.caFile } : backendHttp;
}

function freeze(config: Config): Config {
  for (const section of Object.values(config)) Object.freeze(section);
  return Object.freeze(config);
}

function key(section: string, option: string): string {
  return `${section}.${option}`;
}
