import { configSections, type Config } from './config.js';
import type { OptionValue } from './option.js';
import type { OptionTable, Section } from './section.js';
import { pythonLevel } from './sections/logging.js';

/**
 * The configuration as JSON with the names of the INI files, as `--show-config` prints it: numbers are
 * numbers, booleans booleans, and passwords are masked. The level of the log is also where the Python service
 * has it, in its words, since programs that were written for it read it there.
 */
export function showConfig(config: Config): string {
  const shown = Object.entries(configSections).map(([property, section]: [string, Section]) => {
    const values = config[property as keyof Config];
    return [section.name, showSection(section.options, values)] as const;
  });
  return JSON.stringify(
    { ...Object.fromEntries(shown), logger_root: { level: pythonLevel(config.logging) } },
    undefined,
    2,
  );
}

function showSection(options: OptionTable, values: object): Record<string, OptionValue> {
  const byProperty = new Map<string, OptionValue>(Object.entries(values));
  return Object.fromEntries(
    Object.entries(options).flatMap(([property, option]) => {
      const value = byProperty.get(property);
      return value === undefined ? [] : [[option.name, option.show(value)]];
    }),
  );
}
