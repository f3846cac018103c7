import { configSections, type Config } from './config.js';
import type { OptionValue } from './option.js';
import type { Section } from './section.js';

/**
 * The options, as `[section] option`, that have another value in `loaded` than in `running` and are not taken
 * before a restart. Values stay out of it: some are secret.
 */
export function optionsThatNeedRestart(running: Config, loaded: Config): readonly string[] {
  return Object.entries(configSections).flatMap(([property, section]: [string, Section]) => {
    const [before, after] = [running, loaded].map((config) => valuesOf(config[property as keyof Config]));
    return Object.entries(section.options)
      .filter(([name, { reloadable }]) => !reloadable && before?.get(name) !== after?.get(name))
      .map(([, { name }]) => `[${section.name}] ${name}`);
  });
}

function valuesOf(section: object): ReadonlyMap<string, OptionValue> {
  return new Map(Object.entries(section));
}
